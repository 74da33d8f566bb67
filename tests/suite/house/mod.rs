//! The repository itself: imports, words, documents, generated files, and the files that operators copy.

mod contrib;
mod documents;
mod generated;
mod layers;
mod manual;
mod pictures;
mod prose;
mod source;
mod version;
