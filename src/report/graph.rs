//! A graph of named nodes as Graphviz, as JSON, and as one HTML page that needs nothing else. What the nodes are is the
//! caller's.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

/// Sorted by name; edges are by name too.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    pub nodes: BTreeMap<String, Node>,
}

#[derive(Clone, Debug, Default)]
pub struct Node {
    /// What it is: a target type.
    pub kind: String,
    /// Asked for, rather than only needed by what was.
    pub selected: bool,
    pub to: Vec<String>,
}

pub fn dot(picture: &Picture) -> String {
    let mut out = "digraph {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n".to_owned();
    for (name, node) in &picture.nodes {
        let style = if node.selected { "" } else { ", style=dashed" };
        out += &format!("  {} [tooltip={}{style}];\n", quoted(name), quoted(&node.kind));
    }
    for (name, node) in &picture.nodes {
        for to in &node.to {
            out += &format!("  {} -> {};\n", quoted(name), quoted(to));
        }
    }
    out + "}\n"
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

pub fn json(picture: &Picture) -> Json {
    let node = |(name, node): (&String, &Node)| {
        let value = json!({"type": node.kind, "selected": node.selected, "dependencies": node.to});
        (name.clone(), value)
    };
    json!({"schema_version": 1, "targets": picture.nodes.iter().map(node).collect::<serde_json::Map<_, _>>()})
}

/// The page holds the graph as data, in which no text can end the script.
pub fn html(picture: &Picture) -> String {
    let data = json(picture).to_string().replace('<', "\\u003c");
    include_str!("graph.html").replace("{{graph}}", &data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(name: &str) -> Picture {
        let to = vec!["b".to_owned()];
        let node = Node { kind: "python_source".to_owned(), selected: true, to };
        Picture { nodes: BTreeMap::from([(name.to_owned(), node), ("b".to_owned(), Node::default())]) }
    }

    #[test]
    fn graphviz_quotes_names() {
        let dot = dot(&picture("a\"\\"));
        assert!(
            dot.contains("  \"a\\\"\\\\\" -> \"b\";\n") && dot.contains("\"b\" [tooltip=\"\", style=dashed]"),
            "{dot}"
        );
    }

    #[test]
    fn a_page_needs_nothing_else_and_no_name_ends_its_script() {
        let html = html(&picture("</script><b>"));
        assert_eq!(html.matches("</script>").count(), 1);
        for word in ["http://", "https://", "src=", "{{"] {
            // The one address is the name of SVG, which nobody fetches.
            assert!(!html.replace("http://www.w3.org/2000/svg", "").contains(word), "{word}");
        }
    }
}
