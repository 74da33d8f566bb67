//! The programs. This is the only module that uses clap.
//!
//! Imports go one way: a program uses `run`, which uses `command`.

pub mod cache_manage;
pub mod command;
mod commands;
mod doctor;
pub mod glance;
pub mod manage;
pub mod openstack;
mod operator;
mod programs;
mod run;
pub mod scrubber;
mod views;

pub use programs::{Program, main};
