//! The manual page of what images are, from `docs/concepts.md`.

use super::markdown::{self, inline};
use super::roff::{Page, macro_word};
use super::texts::DATE;

/// The name of the page.
pub const NAME: &str = "glance-images";

/// Returns the page.
pub fn page() -> String {
    let mut page = Page::new(NAME, 7, DATE, "Miscellaneous");
    page.name(
        NAME,
        "states, visibility, formats and deployments of images",
    );
    page.section("DESCRIPTION");
    let text = include_str!("../../docs/concepts.md");
    // The first paragraph is about the document.
    let text = text.split_once("\n\n").map_or(text, |(_, rest)| rest);
    let text = text.split_once("\n\n").map_or(text, |(_, rest)| rest);
    markdown::append(&mut page, text, |page, cells| {
        let [name, meaning] = cells else {
            panic!("not a line of two cells: {cells:?}");
        };
        page.item(&format!(".B {}", macro_word(&name.replace('`', ""))));
        inline(page, meaning);
    });
    page.section("SEE ALSO");
    page.references([
        "glance(1)",
        "openstack(1)",
        "glance-scrubber(1)",
        "glance.conf(5)",
    ]);
    page.finish()
}
