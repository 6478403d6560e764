//! A test harness for a binary with its own `main`: named tests, a filter, and counted skips. The output resembles that
//! of cargo's harness.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{ExitCode, Output};
use std::time::{Duration, Instant};

/// The result of a test that did not panic.
pub enum TestResult {
    Passed,
    /// Why the test cannot run on this machine.
    Skipped(String),
}

type Body = Box<dyn FnOnce() -> TestResult>;

pub struct Suite {
    user: &'static str,
    filter: Option<String>,
    tests: Vec<(String, Body)>,
}

impl Suite {
    /// `args` are those of cargo's harness, of which only a filter is supported. `user` is the prefix of all test
    /// names.
    pub fn new(user: &'static str, args: &[String]) -> Suite {
        Suite { user, filter: args.iter().find(|arg| !arg.starts_with('-')).cloned(), tests: Vec::new() }
    }

    pub fn add(&mut self, name: &str, body: impl FnOnce() -> TestResult + 'static) {
        self.tests.push((format!("{}: {name}", self.user), Box::new(body)));
    }

    pub fn test(&mut self, name: &str, body: impl FnOnce() + 'static) {
        self.add(name, || {
            body();
            TestResult::Passed
        });
    }

    pub fn run(self) -> Summary {
        let start = Instant::now();
        let mut summary = Summary::default();
        for (name, body) in self.tests {
            if self.filter.as_ref().is_some_and(|filter| !name.contains(filter)) {
                summary.filtered += 1;
                continue;
            }
            match catch_unwind(AssertUnwindSafe(body)) {
                Ok(TestResult::Passed) => {
                    summary.passed += 1;
                    println!("test {name} ... ok");
                }
                Ok(TestResult::Skipped(reason)) => {
                    summary.skipped += 1;
                    println!("test {name} ... skipped: {reason}");
                }
                Err(_) => {
                    summary.failed += 1;
                    println!("test {name} ... FAILED");
                }
            }
        }
        summary.duration = start.elapsed();
        summary
    }
}

#[derive(Default)]
pub struct Summary {
    passed: u32,
    failed: u32,
    skipped: u32,
    filtered: u32,
    duration: Duration,
}

/// Begins the line in which a child process reports its summary.
const SUMMARY_PREFIX: &str = "summary ";

impl Summary {
    /// The summary of a run in which nothing could be tested.
    pub fn skipped(name: &str, reason: &str) -> Summary {
        println!("test {name} ... skipped: {reason}");
        Summary { skipped: 1, ..Summary::default() }
    }

    pub fn merge(self, other: Summary) -> Summary {
        Summary {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
            filtered: self.filtered + other.filtered,
            duration: self.duration + other.duration,
        }
    }

    /// Prints the numbers for [`Summary::from_child`] in the parent process.
    pub fn print_for_parent(&self) -> ExitCode {
        let duration_ms = self.duration.as_millis();
        println!("{SUMMARY_PREFIX}{} {} {} {} {duration_ms}", self.passed, self.failed, self.skipped, self.filtered);
        ExitCode::SUCCESS
    }

    /// Prints the output of a child process and extracts its summary.
    pub fn from_child(output: &Output) -> Summary {
        let text = String::from_utf8_lossy(&output.stdout);
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        let mut summary = None;
        for line in text.lines() {
            match line.strip_prefix(SUMMARY_PREFIX) {
                Some(numbers) => summary = Summary::parse(numbers),
                None => println!("{line}"),
            }
        }
        summary.unwrap_or_else(|| {
            println!("test user: the suite itself ... FAILED: {}", output.status);
            Summary { failed: 1, ..Summary::default() }
        })
    }

    fn parse(numbers: &str) -> Option<Summary> {
        let numbers: Vec<u32> = numbers.split(' ').filter_map(|number| number.parse().ok()).collect();
        let [passed, failed, skipped, filtered, duration_ms] = numbers[..] else { return None };
        Some(Summary { passed, failed, skipped, filtered, duration: Duration::from_millis(duration_ms.into()) })
    }

    pub fn print_result(&self) -> ExitCode {
        println!(
            "\ntest result: {}. {} passed; {} failed; {} ignored; 0 measured; {} filtered out; finished in {:.2}s\n",
            if self.failed == 0 { "ok" } else { "FAILED" },
            self.passed,
            self.failed,
            self.skipped,
            self.filtered,
            self.duration.as_secs_f64()
        );
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
