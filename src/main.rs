//! The thin binary: settles the allocator and hands over to the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    matins::system::settle_allocator();
    matins::cli::main()
}
