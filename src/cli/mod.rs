//! The programs. This is the only module that uses clap.
//!
//! Imports go one way: a program uses `run`, which uses `complete`, which uses `command`.

pub mod api;
pub mod cache_manage;
pub mod command;
mod commands;
pub mod complete;
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
