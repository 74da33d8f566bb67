//! Output that both grammars, or several programs, print alike. What one grammar prints is in its own folder.

pub mod cache;
pub mod members;
pub mod metadefs;
pub mod scrub;
pub mod tasks;
