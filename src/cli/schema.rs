//! `matins schema`: the JSON Schema that editors use.

use crate::cli::args::{SchemaArgs, SchemaOf};
use crate::cli::screen::Screen;
use crate::config::{SchemaKind, schema as of};

pub fn schema(screen: &Screen, args: &SchemaArgs) {
    let kind = match args.of {
        SchemaOf::Project => SchemaKind::Project,
        SchemaOf::Pipeline => SchemaKind::Pipeline,
        SchemaOf::Stage => SchemaKind::Stage,
        SchemaOf::Pack => SchemaKind::Pack,
        SchemaOf::Test => SchemaKind::Test,
    };
    screen.print_json(&of(kind));
}
