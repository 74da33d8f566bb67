//! The manual page of the configuration, from `docs/configuration.md`, which a test compares with the options that are
//! read.

use super::markdown;
use super::roff::Page;
use super::texts::DATE;

/// The name of the page.
pub const NAME: &str = "glance.conf";

/// Returns the page.
pub fn page() -> String {
    let mut page = Page::new(NAME, 5, DATE, "File Formats");
    page.name(
        NAME,
        "configuration of an image deployment (glance-api.conf)",
    );
    page.section("SYNOPSIS");
    page.raw(".I /etc/glance/glance\\-api.conf");
    page.raw(".br");
    page.raw(".I DIR/glance\\-api.conf");
    page.section("DESCRIPTION");
    let text = include_str!("../../docs/configuration.md");
    markdown::append(&mut page, text, markdown::option);
    page.section("EXAMPLES");
    page.paragraph("Two named stores in a data directory, and a scrubber that waits for a day:");
    let lines = [
        "[DEFAULT]",
        "enabled_backends = fast:file, slow:file",
        "delayed_delete = true",
        "scrub_time = 86400",
        "",
        "[glance_store]",
        "default_backend = fast",
        "",
        "[slow]",
        "filesystem_store_datadir = /srv/images",
    ];
    page.verbatim(&lines.map(str::to_string));
    page.section("SEE ALSO");
    page.references([
        "glance(1)",
        "glance-manage(1)",
        "glance-scrubber(1)",
        "glance-cache-manage(1)",
        "glance-images(7)",
    ]);
    page.finish()
}
