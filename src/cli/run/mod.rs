//! One run of a program: options and environment, the deployment, what is printed, signals and limits.

pub mod answer;
pub mod client;
pub mod execute;
pub mod handover;
pub mod here;
pub mod hints;
pub mod limits;
pub mod lines;
pub mod observation;
pub mod outcome;
pub mod print;
pub mod progress;
pub mod prompt;
pub mod runtime;
pub mod screen;
pub mod session;
pub mod signals;
pub mod ui;
