//! A model of a disk that loses power: which of the changes of a command are there afterwards.
//!
//! A file's data and its name are two things. `fsync` of a file makes its data durable, that of a
//! directory its entries; what is not durable may be lost, all of it or in part.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::support::Random;

/// Data is lost by blocks of this size.
const BLOCK: u64 = 4096;

/// A file or directory, whatever its names.
pub type Inode = u32;

/// The directory that everything is in.
pub const ROOT: Inode = 0;

/// A change, in the order in which commands make them.
#[derive(Clone, Debug)]
pub enum Change {
    /// Data is written.
    Write {
        file: Inode,
        offset: u64,
        data: Arc<[u8]>,
    },
    /// A file gets another length.
    SetLength { file: Inode, length: u64 },
    /// A file or directory gets a name, which may have been another's.
    Link {
        inode: Inode,
        directory: Inode,
        name: String,
    },
    /// A name goes.
    Unlink { directory: Inode, name: String },
    /// A name becomes another, at once; what had that one loses it.
    Rename {
        from: (Inode, String),
        to: (Inode, String),
        exchange: bool,
    },
    /// The data of a file, or the entries of a directory, are made durable.
    Sync { inode: Inode },
    /// Everything is made durable.
    SyncAll,
}

/// What is there of the changes before a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Only what was made durable.
    Strict,
    /// All names and lengths, but only the data that was made durable.
    NamesOnly,
    /// Everything, as after a kill.
    Everything,
    /// The first of the changes of names and lengths, at least up to the last that was made durable, and
    /// any blocks of the other data, by a seed.
    Journaled(u64),
}

/// What a cut leaves: the files and directories below the top, by their relative paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tree(pub BTreeMap<PathBuf, Node>);

/// A file or directory that a cut leaves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    Directory,
    File {
        inode: Inode,
        mode: u32,
        data: Arc<Vec<u8>>,
    },
}

impl Tree {
    /// A number that tells it from others.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// Makes `top` that tree, whatever was there.
    pub fn write_to(&self, top: &Path) {
        use std::os::unix::fs::PermissionsExt;
        match std::fs::remove_dir_all(top) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => panic!("{}: {e}", top.display()),
            _ => {}
        }
        std::fs::create_dir(top).unwrap();
        for (path, node) in &self.0 {
            let path = top.join(path);
            match node {
                Node::Directory => std::fs::create_dir(path).unwrap(),
                Node::File { mode, data, .. } => {
                    std::fs::write(&path, &**data).unwrap();
                    let permissions = std::fs::Permissions::from_mode(*mode);
                    std::fs::set_permissions(&path, permissions).unwrap();
                }
            }
        }
    }
}

/// A change of the data of a file that is not durable yet.
#[derive(Clone, Debug)]
enum Pending {
    Write {
        offset: u64,
        data: Arc<[u8]>,
    },
    /// With its place among the changes of names and lengths.
    SetLength {
        length: u64,
        place: usize,
    },
}

#[derive(Clone, Debug)]
enum Content {
    File {
        mode: u32,
        durable: Arc<Vec<u8>>,
        pending: Vec<Pending>,
    },
    Directory,
}

/// A change of names or lengths.
#[derive(Clone, Debug)]
struct Entry {
    change: Change,
    is_durable: bool,
}

type Names = HashMap<Inode, BTreeMap<String, Inode>>;

/// A disk, and what is under way on it.
#[derive(Clone, Debug)]
pub struct Disk {
    inodes: Vec<Content>,
    /// Names before the first change.
    first: Names,
    /// Names of this moment.
    now: Names,
    entries: Vec<Entry>,
    /// How many of the entries a journal has for certain.
    committed: usize,
}

impl Disk {
    /// An empty one.
    pub fn new() -> Self {
        let names = Names::from([(ROOT, BTreeMap::new())]);
        Self {
            inodes: vec![Content::Directory],
            first: names.clone(),
            now: names,
            entries: Vec::new(),
            committed: 0,
        }
    }

    /// Adds a file that nothing is written of yet; it has no name.
    pub fn add_file(&mut self, mode: u32) -> Inode {
        self.add(Content::File {
            mode,
            durable: Arc::default(),
            pending: Vec::new(),
        })
    }

    /// Adds an empty directory; it has no name.
    pub fn add_directory(&mut self) -> Inode {
        let inode = self.add(Content::Directory);
        self.now.insert(inode, BTreeMap::new());
        self.first.insert(inode, BTreeMap::new());
        inode
    }

    fn add(&mut self, content: Content) -> Inode {
        self.inodes.push(content);
        (self.inodes.len() - 1) as Inode
    }

    /// Sets the permissions of a file, from its beginning on: no state differs by them alone.
    pub fn set_mode(&mut self, inode: Inode, new: u32) {
        if let Some(Content::File { mode, .. }) = self.inodes.get_mut(inode as usize) {
            *mode = new;
        }
    }

    /// What has this name now.
    pub fn find(&self, directory: Inode, name: &str) -> Option<Inode> {
        self.now.get(&directory)?.get(name).copied()
    }

    /// What has this path now, relative to the top.
    pub fn find_path(&self, path: &Path) -> Option<Inode> {
        path.components().try_fold(ROOT, |directory, part| {
            self.find(directory, part.as_os_str().to_str()?)
        })
    }

    /// Makes all of it durable: what it was before a command.
    pub fn settle(&mut self) {
        self.apply(Change::SyncAll);
        self.first = self.now.clone();
        self.entries.clear();
        self.committed = 0;
    }

    /// Carries out a change.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Write { file, offset, data } => {
                if let Some(pending) = self.pending(file) {
                    pending.push(Pending::Write { offset, data });
                }
            }
            Change::Sync { inode } => self.sync(inode),
            Change::SyncAll => {
                for inode in 0..self.inodes.len() {
                    self.sync(inode as Inode);
                }
            }
            Change::SetLength { file, length } => {
                let place = self.entries.len();
                if let Some(pending) = self.pending(file) {
                    pending.push(Pending::SetLength { length, place });
                }
                self.enter(Change::SetLength { file, length });
            }
            other => {
                rename(&mut self.now, &other);
                self.enter(other);
            }
        }
    }

    fn enter(&mut self, change: Change) {
        self.entries.push(Entry {
            change,
            is_durable: false,
        });
    }

    fn pending(&mut self, file: Inode) -> Option<&mut Vec<Pending>> {
        match self.inodes.get_mut(file as usize)? {
            Content::File { pending, .. } => Some(pending),
            Content::Directory => None,
        }
    }

    fn sync(&mut self, inode: Inode) {
        if let Some(Content::File {
            durable, pending, ..
        }) = self.inodes.get_mut(inode as usize)
            && !pending.is_empty()
        {
            let whole = Arc::make_mut(durable);
            for change in pending.drain(..) {
                write(whole, &change);
            }
        }
        for (place, entry) in self.entries.iter_mut().enumerate() {
            let touches = match &entry.change {
                Change::SetLength { file, .. } => *file == inode,
                Change::Link { directory, .. } | Change::Unlink { directory, .. } => {
                    *directory == inode
                }
                Change::Rename { from, to, .. } => from.0 == inode || to.0 == inode,
                _ => false,
            };
            if touches {
                entry.is_durable = true;
                self.committed = self.committed.max(place + 1);
            }
        }
    }

    /// What a cut at this moment leaves.
    pub fn after_cut(&self, policy: Policy) -> Tree {
        let mut random = match policy {
            Policy::Journaled(seed) => Random::new(seed),
            _ => Random::new(0),
        };
        let kept = match policy {
            Policy::Journaled(_) => {
                let open = self.entries.len() - self.committed;
                self.committed + random.below(open as u64 + 1) as usize
            }
            _ => self.entries.len(),
        };
        let mut names = self.first.clone();
        for entry in self.entries.iter().take(kept) {
            if policy != Policy::Strict || entry.is_durable {
                rename(&mut names, &entry.change);
            }
        }
        let contents: Vec<Option<Arc<Vec<u8>>>> = self
            .inodes
            .iter()
            .map(|content| match content {
                Content::Directory => None,
                Content::File {
                    durable, pending, ..
                } => Some(cut(durable, pending, policy, kept, &mut random)),
            })
            .collect();
        let mut tree = Tree::default();
        self.collect(&names, &contents, ROOT, Path::new(""), &mut tree);
        tree
    }

    fn collect(
        &self,
        names: &Names,
        contents: &[Option<Arc<Vec<u8>>>],
        directory: Inode,
        at: &Path,
        tree: &mut Tree,
    ) {
        for (name, inode) in names.get(&directory).into_iter().flatten() {
            // Shared memory of SQLite is made anew after a cut.
            if name.ends_with("-shm") {
                continue;
            }
            let path = at.join(name);
            let place = *inode as usize;
            if let (Content::File { mode, .. }, Some(data)) =
                (&self.inodes[place], &contents[place])
            {
                let node = Node::File {
                    inode: *inode,
                    mode: *mode,
                    data: Arc::clone(data),
                };
                tree.0.insert(path, node);
            } else {
                tree.0.insert(path.clone(), Node::Directory);
                self.collect(names, contents, *inode, &path, tree);
            }
        }
    }
}

/// The data of a file after a cut that leaves `kept` changes of names and lengths.
fn cut(
    durable: &Arc<Vec<u8>>,
    pending: &[Pending],
    policy: Policy,
    kept: usize,
    random: &mut Random,
) -> Arc<Vec<u8>> {
    if pending.is_empty() || policy == Policy::Strict {
        return Arc::clone(durable);
    }
    let mut data = (**durable).clone();
    for change in pending {
        match (policy, change) {
            (Policy::NamesOnly, Pending::Write { .. }) => {}
            (Policy::Journaled(_), Pending::SetLength { place, .. }) if *place >= kept => {}
            (Policy::Journaled(_), Pending::Write { offset, data: new }) => {
                let mut done = 0;
                while done < new.len() {
                    let at = offset + done as u64;
                    let count = ((BLOCK - at % BLOCK) as usize).min(new.len() - done);
                    if random.below(2) == 0 {
                        let block = Pending::Write {
                            offset: at,
                            data: new[done..done + count].into(),
                        };
                        write(&mut data, &block);
                    }
                    done += count;
                }
            }
            (_, change) => write(&mut data, change),
        }
    }
    Arc::new(data)
}

fn write(whole: &mut Vec<u8>, change: &Pending) {
    match change {
        Pending::SetLength { length, .. } => whole.resize(*length as usize, 0),
        Pending::Write { offset, data } => {
            let (from, to) = (*offset as usize, *offset as usize + data.len());
            if whole.len() < to {
                whole.resize(to, 0);
            }
            whole[from..to].copy_from_slice(data);
        }
    }
}

/// Carries out a change of names. What it needs may be missing, where an earlier one was lost.
fn rename(names: &mut Names, change: &Change) {
    match change {
        Change::Link {
            inode,
            directory,
            name,
        } => {
            names
                .entry(*directory)
                .or_default()
                .insert(name.clone(), *inode);
        }
        Change::Unlink { directory, name } => {
            names.entry(*directory).or_default().remove(name);
        }
        Change::Rename { from, to, exchange } => {
            let moved = names.entry(from.0).or_default().remove(&from.1);
            let Some(moved) = moved else { return };
            let replaced = names.entry(to.0).or_default().insert(to.1.clone(), moved);
            if let Some(replaced) = replaced.filter(|_| *exchange) {
                names
                    .entry(from.0)
                    .or_default()
                    .insert(from.1.clone(), replaced);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(inode: Inode, name: &str) -> Change {
        Change::Link {
            inode,
            directory: ROOT,
            name: name.to_string(),
        }
    }

    fn write(file: Inode, offset: u64, data: &[u8]) -> Change {
        Change::Write {
            file,
            offset,
            data: data.into(),
        }
    }

    fn content(tree: &Tree, name: &str) -> Option<Vec<u8>> {
        match tree.0.get(Path::new(name))? {
            Node::File { data, .. } => Some((**data).clone()),
            Node::Directory => None,
        }
    }

    #[test]
    fn a_name_is_lost_without_a_sync_of_its_directory_and_data_without_one_of_its_file() {
        let mut disk = Disk::new();
        let file = disk.add_file(0o600);
        disk.apply(link(file, "a"));
        disk.apply(write(file, 0, b"data"));
        let strict = |disk: &Disk| content(&disk.after_cut(Policy::Strict), "a");
        assert_eq!(strict(&disk), None);
        disk.apply(Change::Sync { inode: file });
        assert_eq!(strict(&disk), None, "its name is not durable");
        disk.apply(Change::Sync { inode: ROOT });
        assert_eq!(strict(&disk).unwrap(), b"data");
        disk.apply(write(file, 4, b" and more"));
        assert_eq!(strict(&disk).unwrap(), b"data");
        let names_only = disk.after_cut(Policy::NamesOnly);
        assert_eq!(content(&names_only, "a").unwrap(), b"data");
        let everything = disk.after_cut(Policy::Everything);
        assert_eq!(content(&everything, "a").unwrap(), b"data and more");
    }

    #[test]
    fn a_renaming_is_lost_or_kept_whole() {
        let mut disk = Disk::new();
        let [old, new] = [disk.add_file(0o600), disk.add_file(0o600)];
        disk.apply(link(old, "name"));
        disk.apply(link(new, "name.part"));
        for (file, data) in [(old, b"old"), (new, b"new")] {
            disk.apply(write(file, 0, data));
        }
        disk.settle();
        disk.apply(Change::Rename {
            from: (ROOT, "name.part".to_string()),
            to: (ROOT, "name".to_string()),
            exchange: false,
        });
        let before = disk.after_cut(Policy::Strict);
        assert_eq!(content(&before, "name").unwrap(), b"old");
        assert_eq!(content(&before, "name.part").unwrap(), b"new");
        disk.apply(Change::Sync { inode: ROOT });
        let after = disk.after_cut(Policy::Strict);
        assert_eq!(content(&after, "name").unwrap(), b"new");
        assert_eq!(content(&after, "name.part"), None);
    }

    #[test]
    fn what_is_in_a_directory_without_a_durable_name_is_lost() {
        let mut disk = Disk::new();
        let directory = disk.add_directory();
        disk.apply(link(directory, "d"));
        let file = disk.add_file(0o600);
        disk.apply(Change::Link {
            inode: file,
            directory,
            name: "a".to_string(),
        });
        disk.apply(Change::Sync { inode: file });
        disk.apply(Change::Sync { inode: directory });
        assert_eq!(disk.after_cut(Policy::Strict), Tree::default());
        disk.apply(Change::Sync { inode: ROOT });
        assert!(content(&disk.after_cut(Policy::Strict), "d/a").is_some());
        assert_eq!(disk.find_path(Path::new("d/a")), Some(file));
    }

    #[test]
    fn a_journal_keeps_names_in_their_order_and_any_blocks_of_data() {
        let mut disk = Disk::new();
        let file = disk.add_file(0o600);
        disk.apply(link(file, "first"));
        disk.apply(Change::Sync { inode: ROOT });
        disk.apply(write(file, 0, &[1; 3 * BLOCK as usize]));
        disk.apply(link(file, "second"));
        disk.apply(link(file, "third"));
        let mut seen = std::collections::BTreeSet::new();
        for seed in 1..400 {
            let tree = disk.after_cut(Policy::Journaled(seed));
            let has = |name| content(&tree, name).is_some();
            assert!(has("first"), "it is durable");
            assert!(has("second") || !has("third"), "their order is kept");
            let data = content(&tree, "first").unwrap();
            let blocks: Vec<bool> = data
                .chunks(BLOCK as usize)
                .map(|block| block[0] == 1)
                .collect();
            seen.insert((has("second"), has("third"), blocks));
        }
        // Three prefixes of names, eight choices of blocks.
        assert_eq!(seen.len(), 24);
        // The same seed leaves the same.
        assert_eq!(
            disk.after_cut(Policy::Journaled(3)),
            disk.after_cut(Policy::Journaled(3))
        );
    }

    #[test]
    fn a_length_is_lost_with_the_names_around_it() {
        let mut disk = Disk::new();
        let file = disk.add_file(0o600);
        disk.apply(link(file, "a"));
        disk.apply(write(file, 0, b"data"));
        disk.settle();
        disk.apply(Change::SetLength { file, length: 0 });
        let left = |policy| content(&disk.after_cut(policy), "a").unwrap();
        assert_eq!(left(Policy::Strict), b"data");
        assert_eq!(left(Policy::NamesOnly), b"");
    }
}
