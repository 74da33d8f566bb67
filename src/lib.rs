//! The operator's toolkit for OpenStack images: the engine, the clients and the programs.
//!
//! `ARCHITECTURE.md` is the plan of the house; imports only go down its floors:
//! `cli` → `ops` → `output`, and `cli` → `local`, `remote` → `service` → `http` → `config`, `data` → `model` → `error`.

pub mod cli;
pub mod config;
pub mod data;
pub mod error;
pub mod http;
pub mod local;
pub mod model;
pub mod ops;
pub mod output;
pub mod remote;
pub mod service;

pub use error::{Error, ErrorKind, Result};
