//! `matins sample`: the fictional company's exports, of any size.

use crate::base::human_count;
use crate::cli::args::SampleArgs;
use crate::cli::screen::Screen;
use crate::run::{RunError, write_sample};
use crate::sample::Spec;

pub fn sample(screen: &Screen, args: &SampleArgs) -> Result<(), RunError> {
    let files = write_sample(&args.folder, &Spec::of(args.customers, args.as_of))?;
    screen.print(&format!(
        "wrote {} exports of a company with {} customers to {}; truth.json there says what was planted",
        human_count(files as u64),
        human_count(u64::from(args.customers)),
        args.folder.display()
    ));
    Ok(())
}
