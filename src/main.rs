//! The `vonglau` program.

fn main() -> std::process::ExitCode {
    vonglau::cli::run()
}
