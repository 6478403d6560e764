//! The `waders` command.

fn main() {}
