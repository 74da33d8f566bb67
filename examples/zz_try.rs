#[cfg(test)]
#[path = "../tests/suite/grammar.rs"]
mod grammar;
fn main() {}
