//! The answer to a request for completion.

/// A word that may stand at the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// The whole word.
    pub value: String,
    /// A description; may be empty.
    pub about: String,
    /// Whether the word is an ID, whose description is shown in every shell that can.
    pub is_id: bool,
}

/// The paths that a shell should offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paths {
    /// None.
    #[default]
    None,
    /// Files.
    Files,
    /// Directories.
    Directories,
}

/// The program that a word belongs to, if another one has the same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// This program.
    #[default]
    Ours,
    /// The other program.
    Other,
    /// Either.
    Both,
}

/// The answer to a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The words, sorted.
    pub candidates: Vec<Candidate>,
    /// The paths to offer.
    pub paths: Paths,
    /// The program that the line belongs to.
    pub owner: Owner,
}

impl Answer {
    /// Returns an answer of words.
    pub fn of(candidates: Vec<Candidate>) -> Self {
        Self {
            candidates,
            ..Self::default()
        }
    }

    /// Returns the answer that leaves a line to another program.
    pub(super) fn foreign() -> Self {
        Self {
            owner: Owner::Other,
            ..Self::default()
        }
    }
}
