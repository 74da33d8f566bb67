//! Completion in real shells, in a terminal.

use std::path::Path;

use crate::support::terminal::{PROMPT, Terminal};
use crate::support::{GLANCE, Place};

/// A data directory with two images, and a file and a directory whose names have spaces.
fn place() -> (Place, [String; 2]) {
    let place = Place::new();
    // They have no common beginning.
    let ids = ["1", "2"].map(|digit| format!("{digit}1111111-1111-4111-8111-111111111111"));
    for (id, name) in ids.iter().zip(["My image", "first"]) {
        place
            .glance(&["image-create", "--id", id, "--name", name])
            .ok();
    }
    place.write("disk one.img", "x");
    std::fs::create_dir(place.file("space here")).unwrap();
    (place, ids)
}

/// Checks what each of the shells completes.
#[track_caller]
fn check(terminal: &Terminal<'_>, ids: &[String; 2]) {
    for (line, completed) in [
        ("glance image-rea", "glance image-reactivate"),
        ("glance image show M", "glance image show My\\ image"),
        ("glance image show \"My", "glance image show \"My image\""),
        (
            "glance image list --sort name:as",
            "glance image list --sort name:asc",
        ),
        (
            "glance image list --format=js",
            "glance image list --format=json",
        ),
        (
            "glance image set first --property os_di",
            "--property os_distro=",
        ),
        ("glance image create x --file disk", "--file disk\\ one.img"),
        ("glance image create x --file=disk", "--file=disk\\ one.img"),
        ("glance --data-dir spac", "glance --data-dir space\\ here/"),
        ("glance-manage db contr", "glance-manage db contract"),
    ] {
        terminal.completes(line, &[completed]);
    }
    // The names beside the IDs.
    terminal.completes("glance image-show ", &[]);
    terminal.send(&["Tab"]);
    terminal.wait(|screen| {
        let all = ids.iter().map(String::as_str).chain(["My image", "first"]);
        all.into_iter().all(|text| screen.contains(text))
    });
}

#[test]
fn bash_completes_names_ids_and_paths() {
    let (place, ids) = place();
    let setup = format!("PS1='{PROMPT} '; . <(glance completion bash); clear");
    let shell = ["bash", "--norc", "--noprofile"];
    if let Some(terminal) = Terminal::start(&place, &shell, &setup) {
        check(&terminal, &ids);
    }
}

#[test]
fn bash_completes_the_same_with_the_package_bash_completion() {
    let package = "/usr/share/bash-completion/bash_completion";
    if !Path::new(package).exists() {
        println!("skipped: bash-completion is missing");
        return;
    }
    let (place, ids) = place();
    // Installed where the package looks for it.
    let directory = place.file("../home/.local/share/bash-completion/completions");
    std::fs::create_dir_all(&directory).unwrap();
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["glance", "glance-manage"] {
        std::fs::copy(
            top.join("completions/bash").join(name),
            directory.join(name),
        )
        .unwrap();
    }
    let setup = format!("PS1='{PROMPT} '; . {package}; clear");
    let shell = ["bash", "--norc", "--noprofile"];
    if let Some(terminal) = Terminal::start(&place, &shell, &setup) {
        check(&terminal, &ids);
    }
}

#[test]
fn bash_leaves_other_commands_of_openstack_to_the_function_that_was_there() {
    let (place, _) = place();
    let other = "_openstack() { COMPREPLY=($(compgen -W 'image list-of-other server' -- \"$2\")); }\n\
                 complete -F _openstack openstack\n";
    place.write("other", other);
    let setup =
        format!("PS1='{PROMPT} '; . ./other; . <(glance completion bash --name openstack); clear");
    let shell = ["bash", "--norc", "--noprofile"];
    let Some(terminal) = Terminal::start(&place, &shell, &setup) else {
        return;
    };
    terminal.completes("openstack serve", &["openstack server"]);
    terminal.completes("openstack server li", &["openstack server list-of-other"]);
    terminal.completes(
        "openstack image show M",
        &["openstack image show My\\ image"],
    );
    terminal.completes("openstack imag", &["openstack image"]);
    let package = "/usr/share/bash-completion/bash_completion";
    if !Path::new(package).exists() {
        println!("skipped: bash-completion is missing");
        return;
    }
    drop(terminal);
    // Now the other one is loaded by the package, after ours.
    let directory = place.file("../home/.local/share/bash-completion/completions");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("openstack"), other).unwrap();
    let setup = format!(
        "PS1='{PROMPT} '; . {package}; . <(glance completion bash --name openstack); clear"
    );
    if let Some(terminal) = Terminal::start(&place, &shell, &setup) {
        terminal.completes(
            "openstack image show M",
            &["openstack image show My\\ image"],
        );
        terminal.completes("openstack server li", &["openstack server list-of-other"]);
        terminal.completes("openstack image sav", &["openstack image save"]);
    }
}

#[test]
fn zsh_completes_names_ids_and_paths_and_hands_on_what_is_not_ours() {
    let (place, ids) = place();
    place.write(
        "other",
        "_openstack() { compadd image server list-of-other }\ncompdef _openstack openstack\n",
    );
    let setup = format!(
        "PS1='{PROMPT} '; autoload -Uz compinit; compinit -u -D; . <(glance completion zsh); . ./other; \
         . <(glance completion zsh --name openstack); clear"
    );
    let Some(terminal) = Terminal::start(&place, &["zsh", "-f"], &setup) else {
        return;
    };
    check(&terminal, &ids);
    terminal.completes("openstack serve", &["openstack server"]);
    terminal.completes("openstack server li", &["openstack server list-of-other"]);
    terminal.completes(
        "openstack image show M",
        &["openstack image show My\\ image"],
    );
}

#[test]
fn zsh_loads_the_function_from_its_directory() {
    let (place, ids) = place();
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let setup = format!(
        "PS1='{PROMPT} '; fpath=({}/completions/zsh $fpath); autoload -Uz compinit; compinit -u -D; clear",
        top.display()
    );
    if let Some(terminal) = Terminal::start(&place, &["zsh", "-f"], &setup) {
        check(&terminal, &ids);
    }
}

#[test]
fn fish_completes_names_ids_and_paths_beside_other_completions() {
    let (place, ids) = place();
    let setup = format!(
        "function fish_prompt; echo '{PROMPT} '; end; glance completion fish | source; \
         complete -c openstack -f -a 'server'; glance completion fish --name openstack | source; clear"
    );
    let Some(terminal) = Terminal::start(&place, &["fish", "--no-config"], &setup) else {
        return;
    };
    check(&terminal, &ids);
    terminal.completes("openstack serve", &["openstack server"]);
    terminal.completes(
        "openstack image show M",
        &["openstack image show My\\ image"],
    );
}

#[test]
fn elvish_completes_names() {
    let (place, _) = place();
    place.write(
        "completion.elv",
        std::process::Command::new(GLANCE)
            .args(["completion", "elvish"])
            .output()
            .unwrap()
            .stdout,
    );
    let setup = format!(
        "set edit:prompt = {{ put '{PROMPT} ' }}; set edit:rprompt = {{ }}; eval (slurp < completion.elv); clear"
    );
    let Some(terminal) = Terminal::start(&place, &["elvish", "-norc"], &setup) else {
        return;
    };
    terminal.send(&["-l", "glance image show M"]);
    terminal.wait(|screen| screen.contains("show M"));
    terminal.send(&["Tab"]);
    terminal.wait(|screen| screen.contains("glance image show 'My image'"));
}
