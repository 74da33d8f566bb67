//! The repository itself: imports, words, documents and their commands, generated files, and the files that operators copy.

pub mod commands;
mod contrib;
mod documents;
mod generated;
mod layers;
mod manual;
mod pictures;
mod prose;
mod source;
mod version;
