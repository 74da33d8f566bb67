//! What MUST be true of a deployment after a fault, seen from outside: by its files and its database.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::path::Path;
use std::process::Stdio;
use std::sync::{LazyLock, Mutex};

use glance_tools::data::{Algorithm, Hasher};
use rusqlite::Connection;
use rusqlite::types::Value;

use super::deployment::{Deployment, KNOWN, SECOND, SUBJECT};
use super::operations::Operation;
use crate::support::Run;
use crate::support::tracer::{End, Observer, trace};

/// Columns that tell when something happened, or how often.
const TIMES: [&str; 7] = [
    "created_at",
    "updated_at",
    "deleted_at",
    "expires_at",
    "last_accessed",
    "last_modified",
    "hits",
];

/// Properties by which an import says where it is, or how it failed.
const IMPORTING: [&str; 3] = [
    "os_glance_importing_to_stores",
    "os_glance_failed_import",
    "os_glance_stage_host",
];

/// The most lines that a failed command may print for each image it names, or for one where it names none.
const LINES: usize = 3;

/// What a deployment is, but for times and identifiers that are made anew each time.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Rows and files, a line each.
    lines: BTreeSet<String>,
    /// Rows about tasks, and marks of failed imports: a failure adds to them.
    tasks: BTreeSet<String>,
    /// What is wrong with it, whatever was done.
    wrong: Vec<String>,
}

type Row = BTreeMap<String, Value>;

impl State {
    /// Reads the state of a deployment.
    pub fn of(deployment: &Deployment) -> Self {
        let mut state = Self::default();
        let mut named = BTreeSet::new();
        let path = deployment.data().join("glance.db");
        if path.exists() {
            let database = deployment.database();
            if let Err(error) = state.read_database(&database, deployment, &mut named) {
                state.wrong.push(format!("the database: {error}"));
            }
        }
        state.read_files(&deployment.root(), &deployment.root(), &named);
        state
    }

    fn read_database(
        &mut self,
        database: &Connection,
        deployment: &Deployment,
        named: &mut BTreeSet<String>,
    ) -> rusqlite::Result<()> {
        for pragma in ["integrity_check", "foreign_key_check"] {
            let mut query = database.prepare(&format!("PRAGMA {pragma}"))?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                let said: Value = row.get(0)?;
                if said != Value::Text("ok".to_string()) {
                    self.wrong.push(format!("{pragma}: {said:?}"));
                }
            }
        }
        let mut tables = BTreeMap::new();
        let mut query = database
            .prepare("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name")?;
        let found: Vec<(String, String)> = query
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (name, sql) in found {
            let mut hasher = DefaultHasher::new();
            sql.hash(&mut hasher);
            self.lines
                .insert(format!("table {name} {:x}", hasher.finish()));
            let rows = rows(database, &name)?;
            for row in &rows {
                self.add_row(&name, row);
            }
            tables.insert(name, rows);
        }
        self.check_images(&tables, deployment, named);
        for task in tables.get("tasks").into_iter().flatten() {
            let status = text(task, "status");
            if ["pending", "processing"].contains(&status.as_str()) {
                self.wrong.push(format!("a task is {status} for ever"));
            }
        }
        Ok(())
    }

    fn add_row(&mut self, table: &str, row: &Row) {
        let is_deleted = row
            .get("deleted")
            .is_some_and(|deleted| *deleted != Value::Integer(0));
        let status = text(row, "status");
        if is_deleted && status != "pending_delete" {
            // That an image was there is of interest to what purges alone.
            if table == "images" && text(row, "id").starts_with(KNOWN) {
                self.tasks.insert(format!("tombstone {}", text(row, "id")));
            }
            return;
        }
        let mut line = table.to_string();
        for (name, value) in row {
            let is_serial =
                matches!(value, Value::Integer(_)) && (name == "id" || name.ends_with("_id"));
            if TIMES.contains(&name.as_str()) || is_serial {
                continue;
            }
            let value = match value {
                Value::Null => "NULL".to_string(),
                Value::Integer(number) => number.to_string(),
                Value::Real(number) => number.to_string(),
                Value::Text(text) => without_identifiers(text),
                Value::Blob(bytes) => format!("{} bytes", bytes.len()),
            };
            line += &format!(" {name}={value}");
        }
        if table == "image_properties" {
            let name = text(row, "name");
            if name == "os_glance_import_task" {
                self.wrong.push(format!("locked for ever: {line}"));
            }
            if IMPORTING.contains(&name.as_str()) {
                if name == IMPORTING[1] && !text(row, "value").is_empty() {
                    self.tasks.insert(line);
                }
                return;
            }
        }
        if ["tasks", "task_info"].contains(&table) {
            if table == "tasks" {
                let (kind, owner) = (text(row, "type"), text(row, "owner"));
                self.tasks.insert(format!("task {kind} {status} {owner}"));
            }
            return;
        }
        // Two rows may say the same.
        let mut number = 1;
        let once = line.clone();
        while !self.lines.insert(line.clone()) {
            number += 1;
            line = format!("{once} ({number})");
        }
    }

    /// Compares the records of images with their data.
    fn check_images(
        &mut self,
        tables: &BTreeMap<String, Vec<Row>>,
        deployment: &Deployment,
        named: &mut BTreeSet<String>,
    ) {
        let none = Vec::new();
        let locations = tables.get("image_locations").unwrap_or(&none);
        for image in tables.get("images").unwrap_or(&none) {
            let (id, status) = (text(image, "id"), text(image, "status"));
            let size = number(image, "size");
            let live: Vec<&Row> = locations
                .iter()
                .filter(|row| text(row, "image_id") == id && text(row, "status") != "deleted")
                .filter(|row| {
                    number(row, "deleted") == Some(0) || text(row, "status") == "pending_delete"
                })
                .collect();
            for location in &live {
                let url = text(location, "value");
                if let Some(path) = url.strip_prefix("file://") {
                    named.insert(path.to_string());
                }
            }
            match status.as_str() {
                "active" | "deactivated" => {
                    if live.is_empty() {
                        self.wrong
                            .push(format!("image {id} is {status} without a location"));
                    }
                    for location in live {
                        self.check_data(image, &text(location, "value"));
                    }
                }
                "queued" => {
                    if size.is_some() && live.is_empty() {
                        self.wrong
                            .push(format!("image {id} is queued and has size {size:?}"));
                    }
                }
                "uploading" => {
                    let staged = deployment.data().join("staging").join(&id);
                    let there = fs::metadata(&staged).map(|file| file.len());
                    if there.is_err()
                        || there.as_ref().ok().copied() != size.map(i64::cast_unsigned)
                    {
                        self.wrong.push(format!(
                            "image {id} is uploading, size {size:?}, and its staged file: {there:?}"
                        ));
                    }
                    named.insert(staged.to_str().unwrap_or_default().to_string());
                }
                "deleted" | "pending_delete" => {}
                other => self.wrong.push(format!("image {id} is {other} for ever")),
            }
        }
    }

    fn check_data(&mut self, image: &Row, url: &str) {
        let Some(path) = url.strip_prefix("file://") else {
            return;
        };
        let id = text(image, "id");
        let data = match fs::read(path) {
            Ok(data) => data,
            Err(error) => {
                self.wrong.push(format!(
                    "the data of active image {id} is lost: {path}: {error}"
                ));
                return;
            }
        };
        let (md5, sha512) = digests(&data);
        let size = number(image, "size");
        let (checksum, hash) = (text(image, "checksum"), text(image, "os_hash_value"));
        let is_wrong = |recorded: &str, is: &str| !recorded.is_empty() && recorded != is;
        if size != i64::try_from(data.len()).ok()
            || is_wrong(&checksum, &md5)
            || is_wrong(&hash, &sha512)
        {
            self.wrong.push(format!(
                "the data of active image {id} is not what its record says: {} bytes, recorded {size:?}",
                data.len()
            ));
        }
    }

    fn read_files(&mut self, root: &Path, directory: &Path, named: &BTreeSet<String>) {
        let mut entries: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                self.read_files(root, &path, named);
                continue;
            }
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            let parts: Vec<&str> = name.split('/').collect();
            let last = parts.last().copied().unwrap_or_default();
            // SQLite's own, and locks of the system, which only hold while somebody has them.
            let is_lock = last.ends_with(".lock");
            if last.starts_with("glance.db") && !last.contains(".20") || is_lock {
                continue;
            }
            if last.ends_with(".backup") {
                let is_whole = Connection::open(&path)
                    .and_then(|copy| {
                        copy.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0))
                    })
                    .is_ok_and(|said| said == "ok");
                if !is_whole {
                    self.wrong.push(format!("{name} is no whole database"));
                }
                continue;
            }
            if last.starts_with("cache.db") {
                self.add_index(&path);
                continue;
            }
            let holds_named = ["data/images", "data/images2", "data/staging"];
            let parent = Path::new(name).parent().and_then(Path::to_str);
            if parent.is_some_and(|parent| holds_named.contains(&parent))
                && !named.contains(path.to_str().unwrap_or_default())
            {
                self.wrong.push(format!("nobody's file: {name}"));
            }
            if parts.contains(&".journal") || parts.contains(&"incomplete") {
                self.wrong.push(format!("residue: {name}"));
            }
            let data = fs::read(&path).unwrap();
            let mut hasher = DefaultHasher::new();
            data.hash(&mut hasher);
            self.lines.insert(format!(
                "file {} of {} bytes, {:x}",
                without_identifiers(name),
                data.len(),
                hasher.finish()
            ));
        }
    }

    /// Adds the index of a cache.
    fn add_index(&mut self, path: &Path) {
        if !path.ends_with("cache.db") {
            return;
        }
        let read = Connection::open(path).and_then(|database| rows(&database, "cached_images"));
        match read {
            Ok(rows) => rows
                .iter()
                .for_each(|row| self.add_row("cached_images", row)),
            Err(error) if error.to_string().contains("no such table") => {}
            Err(error) => self.wrong.push(format!("cache.db: {error}")),
        }
    }

    /// Whether it is that state, but for what a failure may add.
    fn is(&self, other: &Self) -> bool {
        self.lines == other.lines
    }

    /// What is here and not there, and the reverse.
    fn difference(&self, other: &Self) -> Vec<String> {
        let more = self.lines.difference(&other.lines);
        let less = other.lines.difference(&self.lines);
        more.map(|line| format!("+ {line}"))
            .chain(less.map(|line| format!("- {line}")))
            .collect()
    }

    /// Whether a task says that it failed.
    fn has_failed_task(&self) -> bool {
        self.tasks.iter().any(|task| task.contains("failure"))
    }

    /// Whether the record of an image says that it was deleted.
    fn has_tombstone(&self) -> bool {
        self.tasks.iter().any(|line| line.starts_with("tombstone "))
    }

    fn without(mut self, residue: Option<&str>) -> Self {
        if let Some(residue) = residue {
            let line = format!("file {residue}");
            self.lines.retain(|other| !other.starts_with(&line));
        }
        self
    }
}

fn rows(database: &Connection, table: &str) -> rusqlite::Result<Vec<Row>> {
    let mut query = database.prepare(&format!("SELECT * FROM \"{table}\""))?;
    let names: Vec<String> = query
        .column_names()
        .into_iter()
        .map(str::to_string)
        .collect();
    let rows = query.query_map([], |row| {
        let mut values = Row::new();
        for (number, name) in names.iter().enumerate() {
            values.insert(name.clone(), row.get(number)?);
        }
        Ok(values)
    })?;
    rows.collect()
}

fn text(row: &Row, name: &str) -> String {
    match row.get(name) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    }
}

fn number(row: &Row, name: &str) -> Option<i64> {
    match row.get(name) {
        Some(Value::Integer(number)) => Some(*number),
        _ => None,
    }
}

/// The text with a mark for every identifier that is made anew each time.
fn without_identifiers(text: &str) -> String {
    const LENGTH: usize = 36;
    let mut rest = text;
    let mut whole = String::with_capacity(text.len());
    while !rest.is_empty() {
        let found = rest
            .get(..LENGTH)
            .filter(|word| !word.starts_with(KNOWN) && word.as_bytes()[8] == b'-')
            .is_some_and(|word| uuid::Uuid::try_parse(word).is_ok());
        if found {
            whole += "<id>";
            rest = &rest[LENGTH..];
        } else {
            let next = rest.chars().next().map_or(1, char::len_utf8);
            whole += &rest[..next];
            rest = &rest[next..];
        }
    }
    whole
}

/// The md5 and the sha512 of data; the same few are asked for again and again.
fn digests(data: &[u8]) -> (String, String) {
    static KNOWN_DATA: LazyLock<Mutex<HashMap<u64, (String, String)>>> =
        LazyLock::new(Mutex::default);
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    let key = hasher.finish();
    if let Some(known) = KNOWN_DATA.lock().unwrap().get(&key) {
        return known.clone();
    }
    let digest = |algorithm| {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(data);
        hasher.finish()
    };
    let both = (digest(Algorithm::Md5), digest(Algorithm::Sha512));
    KNOWN_DATA.lock().unwrap().insert(key, both.clone());
    both
}

/// A state that an operation may leave, and what its repetition does then.
struct Allowed {
    name: &'static str,
    state: State,
    code: i32,
    then: State,
}

/// A deployment for an operation, and the states that it may leave there.
pub struct Bench<'a> {
    pub operation: &'a Operation,
    pub deployment: Deployment,
    allowed: Vec<Allowed>,
}

/// How a command came to its end.
pub struct Ended {
    pub end: End,
    pub stderr: String,
    pub stdout: String,
    /// Whether it must have kept its word: it said that it succeeded.
    pub is_done: bool,
}

impl<'a> Bench<'a> {
    /// Sets up a deployment, and finds out what the operation does on it.
    ///
    /// # Errors
    /// Says what is wrong even without any fault.
    pub fn of(operation: &'a Operation) -> Result<Self, String> {
        let made = Deployment::new();
        let deployment = &made;
        operation.set_up(deployment);
        deployment.restore();
        let old = settled(operation, deployment)?;
        deployment.restore();
        let run = run(operation, deployment);
        if run.code != 0 {
            return Err(format!("exit {}: {}", run.code, run.stderr.trim()));
        }
        let new = settled(operation, deployment)?;
        for state in [&old, &new] {
            if !state.wrong.is_empty() {
                return Err(state.wrong.join("; "));
            }
        }
        let (code, then) = repeated(operation, deployment)?;
        let mut allowed = vec![
            Allowed {
                name: "new",
                state: new.clone(),
                code,
                then,
            },
            Allowed {
                name: "old",
                state: old,
                code: 0,
                then: new,
            },
        ];
        for between in &operation.between {
            deployment.restore();
            between(deployment);
            let state = settled(operation, deployment)?;
            let (code, then) = repeated(operation, deployment)?;
            allowed.push(Allowed {
                name: "between",
                state,
                code,
                then,
            });
        }
        Ok(Self {
            operation,
            deployment: made,
            allowed,
        })
    }

    /// Runs the operation under an observer; how it ended.
    ///
    /// # Errors
    /// Says why the system does not allow tracing.
    pub fn observe(&self, observer: &mut dyn Observer) -> Result<Ended, String> {
        let (operation, deployment) = (self.operation, &self.deployment);
        let command = deployment.command(operation.program, &(operation.words)(deployment));
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| deployment.output(name));
        let outputs = [&stdout, &stderr].map(|path| Stdio::from(File::create(path).unwrap()));
        let root = deployment.root();
        let input = deployment.stdin(operation.input);
        let end = trace(&command, input, outputs, &[&root], observer)?;
        let [stdout, stderr] = [stdout, stderr]
            .map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned());
        Ok(Ended {
            end,
            stderr,
            stdout,
            is_done: end == End::Exited(0),
        })
    }

    /// The most lines that the operation may print to stderr when it fails.
    fn most_lines(&self) -> usize {
        let words = (self.operation.words)(&self.deployment);
        let images = words
            .iter()
            .filter(|word| [SUBJECT, SECOND].contains(&word.as_str()));
        LINES * images.count().max(1)
    }

    /// What is wrong with a deployment after the end of an operation; nothing, if all is well. The
    /// deployment is not what it was after that.
    pub fn check(&self, ended: &Ended) -> Vec<String> {
        let (operation, deployment) = (self.operation, &self.deployment);
        let mut wrong = complaints(ended, self.most_lines());
        if let Err(why) = put_right(operation, deployment) {
            wrong.push(why);
            return wrong;
        }
        let state = State::of(deployment);
        wrong.extend(state.wrong.iter().cloned());
        let bare = state.clone().without(operation.residue);
        let found = self.allowed.iter().find(|allowed| bare.is(&allowed.state));
        let new = &self.allowed[0];
        match found {
            None if operation.is_partial && !ended.is_done => {}
            None => {
                let nearest = self
                    .allowed
                    .iter()
                    .min_by_key(|allowed| bare.difference(&allowed.state).len())
                    .unwrap_or(new);
                let difference = bare.difference(&nearest.state);
                let said = if ended.is_done {
                    "exit 0, and the state is not the new one"
                } else {
                    "a state in between"
                };
                wrong.push(format!(
                    "{said}; beside the {} one: {}",
                    nearest.name,
                    shortened(&difference)
                ));
            }
            Some(_) if ended.is_done && operation.is_task && state.has_failed_task() => {}
            Some(allowed) if allowed.name == "between" && operation.is_volatile => {}
            Some(allowed) if ended.is_done && allowed.name != "new" => {
                wrong.push(format!("exit 0, and the state is the {} one", allowed.name));
            }
            Some(allowed) if ended.is_done && !allowed.state.tasks.is_subset(&state.tasks) => {
                let missing: Vec<String> = allowed
                    .state
                    .tasks
                    .difference(&state.tasks)
                    .cloned()
                    .collect();
                wrong.push(format!("exit 0, and not recorded: {}", shortened(&missing)));
            }
            Some(_) => {}
        }
        if !wrong.is_empty() {
            return wrong;
        }
        let again = run(operation, deployment);
        wrong.extend(panics(&again));
        if let Err(why) = put_right(operation, deployment) {
            wrong.push(format!("repeated: {why}"));
            return wrong;
        }
        let after = State::of(deployment);
        wrong.extend(after.wrong.iter().map(|why| format!("repeated: {why}")));
        if let Some(allowed) = found {
            // What failed may have removed the image that it made, whose ID stays taken.
            let is_taken = state.has_tombstone() && again.stderr.contains("already exists");
            if again.code != allowed.code && is_taken {
                return wrong;
            }
            if again.code != allowed.code {
                wrong.push(format!(
                    "repeated on the {} state: exit {}: {}",
                    allowed.name,
                    again.code,
                    again.stderr.trim()
                ));
            } else if !after.is(&allowed.then) {
                let difference = after.difference(&allowed.then);
                wrong.push(format!("repeated: {}", shortened(&difference)));
            }
        }
        wrong
    }
}

/// Runs an operation without any fault.
fn run(operation: &Operation, deployment: &Deployment) -> Run {
    deployment.run(
        operation.program,
        &(operation.words)(deployment),
        operation.input,
    )
}

/// Runs the command that puts everything right.
fn put_right(operation: &Operation, deployment: &Deployment) -> Result<(), String> {
    let (program, words) = operation.next.command();
    let run = deployment.run(program, words, None);
    if run.code != 0 {
        return Err(format!(
            "the next command: exit {}: {}",
            run.code,
            run.stderr.trim()
        ));
    }
    panics(&run).map_or(Ok(()), Err)
}

/// The state after the command that puts everything right.
fn settled(operation: &Operation, deployment: &Deployment) -> Result<State, String> {
    put_right(operation, deployment)?;
    Ok(State::of(deployment))
}

/// What an operation does once more: its exit code, and the state afterwards.
fn repeated(operation: &Operation, deployment: &Deployment) -> Result<(i32, State), String> {
    let code = run(operation, deployment).code;
    Ok((code, settled(operation, deployment)?))
}

fn panics(run: &Run) -> Option<String> {
    let is_bad = run.stderr.contains("panicked") || run.code < 0;
    is_bad.then(|| format!("a panic: exit {}: {}", run.code, run.stderr.trim()))
}

/// What is wrong with what a command printed when it ended; it may have printed `most_lines` to stderr.
fn complaints(ended: &Ended, most_lines: usize) -> Vec<String> {
    let mut wrong = Vec::new();
    let said = ended.stderr.trim();
    if said.contains("panicked") {
        wrong.push(format!("a panic: {said}"));
    }
    match ended.end {
        End::Signaled(signal) => wrong.push(format!("ended by {signal}: {said}")),
        End::TimedOut => wrong.push(format!("hung: {said}")),
        End::Exited(0) | End::Killed => {}
        End::Exited(code) => {
            let lines = said.lines().count();
            // The program of the cache complains on standard output, as the real one does.
            if lines == 0 && ended.stdout.trim().is_empty() {
                wrong.push(format!("exit {code} without a word"));
            } else if lines > most_lines {
                wrong.push(format!("exit {code} with {lines} lines: {said}"));
            }
        }
    }
    wrong
}

/// The first lines of a list, each cut to what can be read.
fn shortened(lines: &[String]) -> String {
    const MOST: usize = 4;
    let mut short: Vec<String> = lines
        .iter()
        .take(MOST)
        .map(|line| line.chars().take(240).collect())
        .collect();
    if lines.len() > MOST {
        short.push(format!("and {} more", lines.len() - MOST));
    }
    short.join(" | ")
}
