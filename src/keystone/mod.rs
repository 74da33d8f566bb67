//! Keystone's Identity API: logins, the sessions that they begin, the validation of tokens, and the endpoints of a token's
//! catalogue.
//!
//! The users of this module send the requests and translate failures: `remote` with hints about the options of a cloud, a
//! store and the server with hints about the options of their configuration.

mod catalog;
mod login;
mod service;
mod session;
mod validation;

pub use catalog::{find_endpoint, interface_of};
pub use login::{is_long, login_request, read_token};
pub use service::ServiceAccount;
pub use session::{CurrentSession, TOKEN, expiry, secret_value};
pub use validation::{AccessRule, ValidToken, Validation, read_catalog, validation_request};
