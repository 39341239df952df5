//! `matins functions`: what Matins adds to SQL.

use serde_json::json;

use crate::cli::args::FunctionsArgs;
use crate::cli::screen::Screen;
use crate::sql::functions::{Function, Kind, TABLE, markdown};

pub fn functions(screen: &Screen, args: &FunctionsArgs) {
    if args.markdown {
        screen.print(markdown().trim_end());
        return;
    }
    let wanted = args.name.as_deref().unwrap_or_default().to_lowercase();
    let found: Vec<&Function> = TABLE.iter().filter(|f| f.name.contains(&wanted)).collect();
    if screen.json {
        let all = found.iter().map(|f| {
            json!({
                "name": f.name, "signature": f.signature(), "arguments": f.arguments, "returns": f.returns,
                "kind": match f.kind { Kind::Row => "row", Kind::Group => "group" },
                "family": f.family, "meaning": f.meaning, "source": f.source, "version": f.version,
            })
        });
        screen.print_json(&all.collect::<Vec<_>>().into());
        return;
    }
    if found.is_empty() {
        screen.say(&format!("no function's name holds `{wanted}`; SQL's own are not among these"));
        return;
    }
    let header = ["function", "meaning", "source"].map(str::to_owned);
    let body = found.iter().map(|f| vec![f.signature(), f.meaning.to_owned(), f.source.to_owned()]);
    screen.table(&header, &[false, false, false], body.collect());
}
