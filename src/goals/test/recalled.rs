//! How what became of tests is kept for a run in which nothing changed (`goals/retrace`): all of them carried out, and all
//! outcomes kept. So a test that failed is run again each time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::StepId;
use crate::engine::{ActionCache, Cached, StepResult};
use crate::goals::test::Done;
use crate::prepare::test::PreparedTest;
use crate::session::reuse::Reusable;
use crate::session::{Error, Session, failure};
use crate::store::{Store, Trace};
use crate::tracked::Observation;

#[derive(Serialize, Deserialize)]
pub struct Test {
    names: Vec<String>,
    timeout: Option<Duration>,
    empty_is_fine: bool,
    cached: Cached,
}

impl Reusable for Done {
    type Stored = Vec<Test>;

    fn to_stored(&self, _: &Session, _: &Store, _: &[Observation]) -> Result<Option<Vec<Test>>, Error> {
        // Reports of coverage are made by more steps, which want what was prepared.
        if self.coverage.is_some() {
            return Ok(None);
        }
        let test = |test: &PreparedTest| {
            let (result, ..) = failure::ran(&test.step, &self.outcomes).ok()?;
            Some(Test {
                names: test.names.clone(),
                timeout: test.timeout,
                empty_is_fine: test.empty_is_fine,
                cached: result.cached.clone()?,
            })
        };
        Ok(self.tests.iter().map(test).collect())
    }

    fn from_stored(answer: Vec<Test>, _: &Session, cache: &dyn ActionCache, _: &Trace) -> Result<Option<Done>, Error> {
        let mut done = Done::default();
        for Test { names, timeout, empty_is_fine, cached } in answer {
            let Some(result) = StepResult::read_again(cache, &cached)? else { return Ok(None) };
            let step = StepId::new(done.tests.len());
            done.outcomes.insert(step, Ok(result));
            done.tests.push(PreparedTest { names, timeout, empty_is_fine, step: Ok(step) });
        }
        Ok(Some(done))
    }
}
