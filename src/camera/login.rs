//! One camera's login, which its streams share: what one stream has had refused, the other must not try as often again.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use crate::{
    domain::{
        camera::{Secret, Stream, Trouble, TroubleCause},
        ids::CameraId,
    },
    logic::backoff::Refusals,
    runtime::clock::Clock,
};

/// The login of one camera; a changed user or password is another one.
#[derive(Debug, Default)]
pub(super) struct Login {
    refusals: Mutex<Refusals>,
    /// Held while logging in after a refusal, so that two streams together do not try more often than one.
    turn: tokio::sync::Mutex<()>,
}

impl Login {
    fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes one try, when its time has come. Only a stream that was `refused` itself waits out the pause: the other one
    /// may have another path with other rights.
    pub async fn attempt<T>(
        &self,
        refused: bool,
        clock: &Clock,
        open: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        let mut turn = None;
        while refused && turn.is_none() {
            turn = Some(self.turn.lock().await);
            let pause_us = self.refusals().pause_us(clock.boot());
            if pause_us > 0 {
                turn = None;
                tokio::time::sleep(Duration::from_micros(pause_us.unsigned_abs())).await;
            }
        }
        let opened = open.await;
        match &opened {
            Ok(_) => self.refusals().accepted(),
            Err(trouble) if trouble.cause == TroubleCause::Login => {
                self.refusals().refused(clock.boot(), fastrand::f64());
            }
            Err(_) => {}
        }
        drop(turn);
        opened
    }
}

/// The logins at one address.
#[derive(Debug, Default)]
pub(super) struct Logins(Mutex<Vec<Known>>);

#[derive(Debug)]
struct Known {
    camera: CameraId,
    username: String,
    password: Secret,
    login: Weak<Login>,
}

impl Logins {
    /// The login of a stream's camera; the same one for all its streams.
    pub fn of(&self, stream: &Stream) -> Arc<Login> {
        let Stream { camera, ref username, ref password, .. } = *stream;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|k| k.login.strong_count() > 0);
        let same = |k: &&Known| k.camera == camera && k.username == *username && k.password == *password;
        if let Some(login) = known.iter().find(same).and_then(|k| k.login.upgrade()) {
            return login;
        }
        let login = Arc::new(Login::default());
        let (username, password) = (username.clone(), password.clone());
        known.push(Known { camera, username, password, login: Arc::downgrade(&login) });
        login
    }
}
