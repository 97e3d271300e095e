//! The `vonglau` program.

fn main() {
    if std::env::args_os().nth(1).is_some_and(|a| a == "vision") {
        std::process::exit(vonglau::vision::child_main());
    }
}
