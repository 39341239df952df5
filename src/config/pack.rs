//! `sql/<pack…>/pack.yaml` → what a pack says of itself: words, parameters, and the KPIs its tables hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{Diagnostic, Diagnostics, PackName, Place, SourceText};
use crate::system::Environment;

use super::keys::PACK_FILE;
use super::kpi;
use super::model::Pack;
use super::pipeline::params;
use super::shape::{Fields, Reading, Shape};
use super::tree::parse;

/// Adds what one file says to the pack it lies in, whose stages have been read.
pub(super) fn read(
    path: &str,
    file: &Arc<SourceText>,
    environment: &Environment,
    packs: &mut BTreeMap<PackName, Pack>,
    found: &mut Diagnostics,
) {
    let folder = path.trim_start_matches("sql/").trim_end_matches("/pack.yaml");
    let Some(node) = parse(file, 0..file.text.len(), environment, found) else { return };
    let mut reading = Reading { file, found };
    reading.examine("`pack.yaml`", &node, &Shape::Object(&PACK_FILE));
    let fields = Fields::new(&node, &PACK_FILE);
    let Some(pack) = folder.parse().ok().and_then(|name: PackName| packs.get_mut(&name)) else {
        let mistake = Diagnostic::error("empty-pack", format!("the pack `{folder}` has no stage"))
            .at(Place::file(file))
            .help("`pack.yaml` lies beside the folders of a pack's schemas, as in `sql/crm/retention/pack.yaml`")
            .did_you_mean(folder, packs.keys().map(PackName::as_str));
        found.push(mistake);
        return;
    };
    pack.description = fields.text("description").map(str::to_owned);
    pack.params = params(&mut reading, fields);
    pack.kpis = kpi::of_pack(&mut reading, fields, pack);
}
