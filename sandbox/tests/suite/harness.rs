//! What cargo's own harness would do, and counted skips.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{ExitCode, Output};
use std::time::{Duration, Instant};

pub enum Verdict {
    Passed,
    /// What this machine lacks for the test.
    Skipped(String),
}

type Body = Box<dyn FnOnce() -> Verdict>;

pub struct Suite {
    who: &'static str,
    filter: Option<String>,
    tests: Vec<(String, Body)>,
}

impl Suite {
    /// `words` as given to cargo's harness; of these only a filter matters.
    pub fn new(who: &'static str, words: &[String]) -> Suite {
        Suite { who, filter: words.iter().find(|word| !word.starts_with('-')).cloned(), tests: Vec::new() }
    }

    pub fn add(&mut self, name: &str, body: impl FnOnce() -> Verdict + 'static) {
        self.tests.push((format!("{}: {name}", self.who), Box::new(body)));
    }

    pub fn test(&mut self, name: &str, body: impl FnOnce() + 'static) {
        self.add(name, || {
            body();
            Verdict::Passed
        });
    }

    pub fn run(self) -> Total {
        let began = Instant::now();
        let mut total = Total::default();
        for (name, body) in self.tests {
            if self.filter.as_ref().is_some_and(|filter| !name.contains(filter)) {
                total.filtered += 1;
                continue;
            }
            match catch_unwind(AssertUnwindSafe(body)) {
                Ok(Verdict::Passed) => {
                    total.passed += 1;
                    println!("test {name} ... ok");
                }
                Ok(Verdict::Skipped(why)) => {
                    total.skipped += 1;
                    println!("test {name} ... skipped: {why}");
                }
                Err(_) => {
                    total.failed += 1;
                    println!("test {name} ... FAILED");
                }
            }
        }
        total.took = began.elapsed();
        total
    }
}

#[derive(Default)]
pub struct Total {
    passed: u32,
    failed: u32,
    skipped: u32,
    filtered: u32,
    took: Duration,
}

const TALLY: &str = "tally ";

impl Total {
    pub fn and(self, other: Total) -> Total {
        Total {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
            filtered: self.filtered + other.filtered,
            took: self.took + other.took,
        }
    }

    /// Numbers for the parent, as the last line.
    pub fn pass_on(&self) -> ExitCode {
        println!("{TALLY}{} {} {} {} {}", self.passed, self.failed, self.skipped, self.filtered, self.took.as_millis());
        ExitCode::SUCCESS
    }

    pub fn of_child(output: &Output) -> Total {
        let text = String::from_utf8_lossy(&output.stdout);
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        let mut total = None;
        for line in text.lines() {
            match line.strip_prefix(TALLY) {
                Some(numbers) => total = Total::parse(numbers),
                None => println!("{line}"),
            }
        }
        total.unwrap_or_else(|| {
            println!("test user: the suite itself ... FAILED: {}", output.status);
            Total { failed: 1, ..Total::default() }
        })
    }

    pub fn skipped(name: &str, why: &str) -> Total {
        println!("test {name} ... skipped: {why}");
        Total { skipped: 1, ..Total::default() }
    }

    fn parse(numbers: &str) -> Option<Total> {
        let numbers: Vec<u32> = numbers.split(' ').filter_map(|number| number.parse().ok()).collect();
        let [passed, failed, skipped, filtered, took_ms] = numbers[..] else { return None };
        Some(Total { passed, failed, skipped, filtered, took: Duration::from_millis(took_ms.into()) })
    }

    pub fn conclude(&self) -> ExitCode {
        println!(
            "\ntest result: {}. {} passed; {} failed; {} ignored; 0 measured; {} filtered out; finished in {:.2}s\n",
            if self.failed == 0 { "ok" } else { "FAILED" },
            self.passed,
            self.failed,
            self.skipped,
            self.filtered,
            self.took.as_secs_f64()
        );
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
