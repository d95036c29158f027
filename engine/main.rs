//! The lines that start.

fn main() {
    std::process::exit(duban::cli::run());
}
