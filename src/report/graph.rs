//! A graph of named nodes as Graphviz, as JSON, and as one self-contained HTML page. The caller decides what the nodes are.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

/// A graph to draw.
#[derive(Clone, Debug, Default)]
pub struct Drawing {
    /// The nodes by name.
    pub nodes: BTreeMap<String, Node>,
}

/// A node of a drawing.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// The target type.
    pub kind: String,
    /// Whether the user selected it; the other nodes are only dependencies.
    pub selected: bool,
    /// The names of the nodes that it depends on.
    pub to: Vec<String>,
}

/// Renders the graph for Graphviz.
pub fn dot(drawing: &Drawing) -> String {
    let mut out = "digraph {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n".to_owned();
    for (name, node) in &drawing.nodes {
        let style = if node.selected { "" } else { ", style=dashed" };
        out += &format!("  {} [tooltip={}{style}];\n", quoted(name), quoted(&node.kind));
    }
    for (name, node) in &drawing.nodes {
        for to in &node.to {
            out += &format!("  {} -> {};\n", quoted(name), quoted(to));
        }
    }
    out + "}\n"
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Renders the graph as JSON, with a schema version.
pub fn json(drawing: &Drawing) -> Json {
    let node = |(name, node): (&String, &Node)| {
        let value = json!({"type": node.kind, "selected": node.selected, "dependencies": node.to});
        (name.clone(), value)
    };
    json!({"schema_version": 1, "targets": drawing.nodes.iter().map(node).collect::<serde_json::Map<_, _>>()})
}

/// Renders an HTML page that contains the graph as JSON, escaped so that no name can end the script element.
pub fn html(drawing: &Drawing) -> String {
    let data = json(drawing).to_string().replace('<', "\\u003c");
    include_str!("graph.html").replace("{{graph}}", &data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing(name: &str) -> Drawing {
        let to = vec!["b".to_owned()];
        let node = Node { kind: "python_source".to_owned(), selected: true, to };
        Drawing { nodes: BTreeMap::from([(name.to_owned(), node), ("b".to_owned(), Node::default())]) }
    }

    #[test]
    fn graphviz_quotes_names() {
        let dot = dot(&drawing("a\"\\"));
        assert!(
            dot.contains("  \"a\\\"\\\\\" -> \"b\";\n") && dot.contains("\"b\" [tooltip=\"\", style=dashed]"),
            "{dot}"
        );
    }

    #[test]
    fn a_page_is_self_contained_and_no_name_ends_its_script() {
        let html = html(&drawing("</script><b>"));
        assert_eq!(html.matches("</script>").count(), 1);
        for word in ["http://", "https://", "src=", "{{"] {
            // The only address is the namespace of SVG, which is not fetched.
            assert!(!html.replace("http://www.w3.org/2000/svg", "").contains(word), "{word}");
        }
    }
}
