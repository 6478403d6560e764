//! The report of an audit as one HTML page that needs nothing else: a list of steps, the inputs of each as a graph and as a
//! searchable list, and the findings.

use crate::report::audit::AuditReport;

/// Renders the page. The report is contained as JSON, escaped so that no name can end the script element.
pub fn render(report: &AuditReport) -> String {
    let data = serde_json::to_string(report).expect("a report has string keys").replace('<', "\\u003c");
    include_str!("page.html").replace("{{report}}", &data)
}

#[cfg(test)]
mod tests {
    use crate::report::audit::tests::sample;

    #[test]
    fn a_page_is_self_contained_and_no_name_ends_its_script() {
        let html = super::render(&sample());
        assert_eq!(html.matches("</script>").count(), 1);
        for word in ["http://", "https://", "src=", "{{", "@import"] {
            // The only address is the namespace of SVG, which is not fetched.
            assert!(!html.replace("http://www.w3.org/2000/svg", "").contains(word), "{word}");
        }
    }
}
