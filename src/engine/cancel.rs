//! The user's wish to stop. Once: nothing new starts and what runs gets SIGINT and a grace period. Twice: it is killed.

use std::sync::Arc;

use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    GoOn,
    Interrupt,
    Kill,
}

#[derive(Clone)]
pub struct Cancel {
    wish: Arc<watch::Sender<Wish>>,
}

impl Default for Cancel {
    fn default() -> Cancel {
        Cancel { wish: Arc::new(watch::Sender::new(Wish::GoOn)) }
    }
}

impl Cancel {
    /// One more Ctrl-C.
    pub fn escalate(&self) {
        self.wish.send_modify(|wish| *wish = if *wish == Wish::GoOn { Wish::Interrupt } else { Wish::Kill });
    }

    pub fn wish(&self) -> Wish {
        *self.wish.borrow()
    }

    /// Comes back when the wish is stronger than the one given; never for `Kill`.
    pub async fn stronger_than(&self, known: Wish) -> Wish {
        let mut watcher = self.wish.subscribe();
        let wish = watcher.wait_for(|wish| *wish > known).await.map(|wish| *wish);
        match wish {
            Ok(wish) => wish,
            Err(_) => std::future::pending().await,
        }
    }
}
