//! The outcomes of tests as `session::reuse` stores them, for a run in which nothing changed. They are stored only if every
//! test ran and every outcome is cached, so a test that failed is run again each time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::StepId;
use crate::engine::{ActionCache, Cached, StepResult};
use crate::goals::test::TestOutcomes;
use crate::prepare::test::PlannedTest;
use crate::session::reuse::Reusable;
use crate::session::{Error, Session, failure};
use crate::store::{Store, Trace};
use crate::tracked::Observation;

/// One process.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredTest {
    names: Vec<String>,
    files: Vec<String>,
    timeout: Option<Duration>,
    empty_is_fine: bool,
    cached: Cached,
}

impl Reusable for TestOutcomes {
    type Stored = Vec<StoredTest>;

    fn to_stored(&self, _: &Session, _: &Store, _: &[Observation]) -> Result<Option<Vec<StoredTest>>, Error> {
        // Coverage reports are made by more steps, which need the plan.
        if self.coverage.is_some() {
            return Ok(None);
        }
        let test = |test: &PlannedTest| {
            let (result, ..) = failure::ran(&test.step, &self.outcomes).ok()?;
            Some(StoredTest {
                names: test.names.clone(),
                files: test.files.clone(),
                timeout: test.timeout,
                empty_is_fine: test.empty_is_fine,
                cached: result.cached.clone()?,
            })
        };
        Ok(self.tests.iter().map(test).collect())
    }

    fn from_stored(
        stored: Vec<StoredTest>,
        _: &Session,
        cache: &dyn ActionCache,
        _: &Trace,
    ) -> Result<Option<TestOutcomes>, Error> {
        let mut done = TestOutcomes::default();
        for StoredTest { names, files, timeout, empty_is_fine, cached } in stored {
            let Some(result) = StepResult::read_again(cache, &cached)? else { return Ok(None) };
            let step = StepId::new(done.tests.len());
            done.outcomes.insert(step, Ok(result));
            done.tests.push(PlannedTest { names, files, sources: None, timeout, empty_is_fine, step: Ok(step) });
        }
        Ok(Some(done))
    }
}
