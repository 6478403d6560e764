//! Tests of composed environments: first lines of scripts, files that activate the environment, and paths with spaces.

use std::collections::BTreeMap;

use super::*;

fn host(location: Option<&'static str>) -> HostVenv<'static> {
    HostVenv {
        interpreter: "/opt/py/bin/python3.12",
        location,
        prompt: "default/3.12.1",
        script_args: "-sE",
        source_roots: Vec::new(),
    }
}

/// The files of an environment with one wheel, by path.
fn compose_one(host: &HostVenv<'_>) -> BTreeMap<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    let file = |text: &str, executable| Node::File { digest: store.put(text.as_bytes()).unwrap(), executable };
    let nodes = BTreeMap::from([
        (rel_path("bin/run"), file("#!/deps/bin/python\nprint()\n", true)),
        (rel_path("bin/other"), file("#!/deps/bin/python3-other\n", true)),
        (rel_path("site-packages/a.py"), file("", false)),
    ]);
    let wheel = store.put_tree(&Tree { nodes }).unwrap();
    let environment = Environment::linux_x86_64("3.12.1", (2, 36)).unwrap();
    let tree = compose(&store, &environment, host, &[Layer { wheel, bytecode: None }]).unwrap();
    let text = |node: &Node| match node {
        Node::File { digest, .. } => String::from_utf8(store.get(*digest).unwrap()).unwrap(),
        Node::Symlink { target } => format!("-> {target}"),
        Node::EmptyDirectory => String::new(),
    };
    store.tree(tree).unwrap().nodes.iter().map(|(path, node)| (path.to_string(), text(node))).collect()
}

#[test]
fn an_environment_at_a_known_place_has_absolute_paths() {
    let files = compose_one(&host(Some("/repo/dist/default/3.12.1")));
    assert_eq!(files["bin/run"], "#!/repo/dist/default/3.12.1/bin/python -sE\nprint()\n");
    assert_eq!(files["bin/other"], "#!/deps/bin/python3-other\n", "a script of another program is not changed");
    assert_eq!(files["bin/python"], "-> /opt/py/bin/python3.12");
    assert_eq!(files["bin/python3.12"], "-> python");
    assert_eq!(files["lib64"], "-> lib");
    assert!(files.contains_key("lib/python3.12/site-packages/a.py"));
    let config =
        "home = /opt/py/bin\ninclude-system-site-packages = false\nversion = 3.12.1\nprompt = default/3.12.1\n";
    assert_eq!(files["pyvenv.cfg"], config);
    for name in ["activate", "activate.fish", "activate.csh"] {
        let text = &files[&format!("bin/{name}")];
        assert!(text.contains("'/repo/dist/default/3.12.1'") && text.contains("'default/3.12.1'"), "{name}");
        assert!(!text.contains('@') || name == "activate", "{name}");
    }
}

#[test]
fn an_environment_for_any_place_finds_its_interpreter_itself() {
    let files = compose_one(&host(None));
    assert!(
        files["bin/run"].starts_with("#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/python -sE ")
    );
    assert!(files["bin/run"].ends_with("' '''\nprint()\n"));
    assert!(files.contains_key("lib/python3.12/site-packages/waders_source_roots.pth"));
    assert!(!files.contains_key("bin/activate"));
}

#[test]
fn sources_of_the_repository_are_found_by_their_paths() {
    let files = compose_one(&HostVenv { source_roots: vec!["/repo/src", "/repo/lib"], ..host(Some("/repo/dist")) });
    assert_eq!(files["lib/python3.12/site-packages/waders_source_roots.pth"], "/repo/src\n/repo/lib\n");
}

#[test]
fn a_path_that_the_kernel_cannot_read_is_started_by_a_shell() {
    let header = script_header(&host(Some("/my repo/a$b")));
    assert_eq!(header, "#!/bin/sh\n'''exec' \"/my repo/a\\$b/bin/python\" -sE \"$0\" \"$@\"\n' '''\n");
    let long = format!("/{}", "x".repeat(200));
    let header = script_header(&HostVenv { location: Some(&long), ..host(None) });
    assert!(header.starts_with("#!/bin/sh\n"), "{header}");
    let short = with_short_header(header.as_bytes()).into_owned();
    assert_eq!(String::from_utf8(short).unwrap(), format!("#!{long}/bin/python -sE\n"));
}
