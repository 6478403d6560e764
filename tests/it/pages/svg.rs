//! A screen of a terminal as an SVG picture. Colours, bold and dim text are kept; everything else that escape sequences do is not, since
//! the text comes from `tmux capture-pane`, which has interpreted the rest.

/// The size of a character in the picture.
const CELL: (f32, f32) = (8.4, 19.0);

/// The space around the text.
const MARGIN: f32 = 16.0;

const STYLE: &str = "text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#d7dae0;white-space:pre}\
    .bold{font-weight:700}.dim{fill:#8b93a1}.red{fill:#ff7b72}.green{fill:#7ee787}.yellow{fill:#e3b341}.blue{fill:#79c0ff}\
    .magenta{fill:#d2a8ff}.cyan{fill:#76e3ea}";

/// How a character looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Look {
    bold: bool,
    colour: &'static str,
}

/// Neighbouring characters that look the same. `column` counts from 0.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    column: usize,
    look: Look,
    text: String,
}

/// The picture of a screen that is `columns` wide, without the empty lines at its end. `title` describes it.
pub(super) fn picture(screen: &str, columns: usize, title: &str) -> String {
    let lines = runs(screen.trim_end());
    let (width, height) = (columns as f32 * CELL.0 + 2.0 * MARGIN, lines.len() as f32 * CELL.1 + 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xml:space=\"preserve\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1c2128\"/>\n",
        escaped(title)
    );
    for (row, line) in lines.iter().enumerate() {
        for run in line {
            out += &text_element(row, run);
        }
    }
    out + "</svg>\n"
}

/// What a person sees in a picture: the text with its looks, without positions, durations and the phase of animations.
pub(super) fn content(picture: &str) -> String {
    let mut text = picture.to_owned();
    for (pattern, replacement) in [
        (r#" (x|textLength|viewBox)="[^"]*""#, ""),
        (r"\d+(\.\d+)?s\b", "0s"),
        ("[\u{2800}-\u{28ff}]", "\u{2800}"),
        ("={3,}", "==="),
        (" {2,}", "  "),
    ] {
        text = regex::Regex::new(pattern).expect("a constant").replace_all(&text, replacement).into_owned();
    }
    text
}

fn text_element(row: usize, run: &Run) -> String {
    let (x, y) = (MARGIN + run.column as f32 * CELL.0, MARGIN + (row as f32 + 0.75) * CELL.1);
    let classes = [run.look.colour, if run.look.bold { "bold" } else { "" }];
    let classes: Vec<&str> = classes.into_iter().filter(|class| !class.is_empty()).collect();
    let class = if classes.is_empty() { String::new() } else { format!(" class=\"{}\"", classes.join(" ")) };
    // Every font gets the width of the grid.
    let length = run.text.chars().count() as f32 * CELL.0;
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{length:.1}\"{class}>{}</text>\n", escaped(&run.text))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The runs of each line, without spaces around them.
fn runs(screen: &str) -> Vec<Vec<Run>> {
    let mut look = Look::default();
    screen.lines().map(|line| line_runs(line, &mut look)).collect()
}

/// `look` is that at the beginning of the line, and afterwards that at its end: tmux does not repeat it.
fn line_runs(line: &str, look: &mut Look) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut column = 0;
    let mut parts = line.split("\u{1b}[");
    let mut push = |text: &str, look: Look| {
        let visible: String = text.chars().filter(|c| !c.is_control()).collect();
        let indent = visible.chars().take_while(|c| *c == ' ').count();
        match runs.last_mut() {
            Some(last) if last.look == look && !last.text.is_empty() => last.text += &visible,
            _ => runs.push(Run { column: column + indent, look, text: visible.chars().skip(indent).collect() }),
        }
        column += visible.chars().count();
    };
    push(parts.next().unwrap_or_default(), *look);
    for part in parts {
        let (codes, text) = part.split_once('m').unwrap_or(("", part));
        *look = changed(*look, codes);
        push(text, *look);
    }
    runs.iter_mut().for_each(|run| run.text.truncate(run.text.trim_end().len()));
    runs.retain(|run| !run.text.is_empty());
    runs
}

/// The look after a sequence of codes: ECMA-48, SGR.
fn changed(look: Look, codes: &str) -> Look {
    codes.split(';').fold(look, |look, code| match code {
        "" | "0" => Look::default(),
        "1" => Look { bold: true, ..look },
        "2" => Look { colour: "dim", ..look },
        "22" => Look { bold: false, colour: if look.colour == "dim" { "" } else { look.colour } },
        "31" | "91" => Look { colour: "red", ..look },
        "32" | "92" => Look { colour: "green", ..look },
        "33" | "93" => Look { colour: "yellow", ..look },
        "34" | "94" => Look { colour: "blue", ..look },
        "35" | "95" => Look { colour: "magenta", ..look },
        "36" | "96" => Look { colour: "cyan", ..look },
        "90" => Look { colour: "dim", ..look },
        "39" | "37" | "97" => Look { colour: "", ..look },
        _ => look,
    })
}

#[test]
fn colours_and_columns_are_kept() {
    let screen = "$ a\n\u{1b}[32m✓\u{1b}[39m  b <c>   \u{1b}[1m\u{1b}[31md\n  e\u{1b}[0m f\n\n";
    let picture = picture(screen, 10, "a & b");
    let texts: Vec<&str> = picture.lines().filter(|line| line.starts_with("<text")).collect();
    let expected = [
        r#"<text x="16.0" y="30.2" textLength="25.2">$ a</text>"#,
        r#"<text x="16.0" y="49.2" textLength="8.4" class="green">✓</text>"#,
        r#"<text x="41.2" y="49.2" textLength="42.0">b &lt;c&gt;</text>"#,
        r#"<text x="108.4" y="49.2" textLength="8.4" class="red bold">d</text>"#,
        r#"<text x="32.8" y="68.2" textLength="8.4" class="red bold">e</text>"#,
        r#"<text x="49.6" y="68.2" textLength="8.4">f</text>"#,
    ];
    assert_eq!(texts, expected);
    assert!(picture.contains("viewBox=\"0 0 116 89\"") && picture.contains("<title>a &amp; b</title>"), "{picture}");
}

#[test]
fn only_durations_may_differ() {
    let same = |first: &str, second: &str| content(&picture(first, 9, "")) == content(&picture(second, 9, ""));
    assert!(same("\u{2801} 0s a\n== in 0.22s ====", "\u{2807} 12s a\n== in 10.22s ==="));
    assert!(!same("a", "b") && !same("a", "\u{1b}[31ma") && !same("1 passed", "2 passed"));
}
