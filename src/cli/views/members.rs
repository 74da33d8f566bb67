//! Image members.

use serde_json::json;

use crate::model::Member;
use crate::output::{Cell, Table, View};

/// Returns the table of members, as both grammars print it.
pub fn table(members: &[Member]) -> View<'static> {
    let row = |member: &Member| {
        [
            json!(member.image_id),
            json!(member.member_id),
            json!(member.status.name()),
        ]
        .map(Cell::new)
        .into()
    };
    View::Table(Table::from_rows(
        vec!["Image ID", "Member ID", "Status"],
        members.iter().map(row).collect(),
    ))
}

/// Returns a member, as both grammars print it.
pub fn record(member: &Member) -> View<'static> {
    let mut fields: Vec<(String, Cell)> = member
        .to_api()
        .into_iter()
        .map(|(name, value)| (name, Cell::new(value)))
        .collect();
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    View::Record(fields.into_iter().collect())
}
