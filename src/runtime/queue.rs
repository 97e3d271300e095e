//! A channel that is bounded in items and in bytes: a few large items may not take the memory of many small ones.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// The sending side. Cloning shares the bounds.
#[derive(Debug)]
pub struct Sender<T> {
    items: mpsc::Sender<(T, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
    bytes_max: usize,
    size: fn(&T) -> usize,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { items: self.items.clone(), room: self.room.clone(), bytes_max: self.bytes_max, size: self.size }
    }
}

/// The receiving side.
#[derive(Debug)]
pub struct Receiver<T>(mpsc::Receiver<(T, OwnedSemaphorePermit)>);

/// The receiver is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody receives any more")]
pub struct Gone;

/// A channel for at most `items_max` items of at most `bytes_max` bytes together by `size`; one that is larger than that
/// by itself waits until it is alone.
#[must_use]
pub fn bounded<T>(items_max: usize, bytes_max: usize, size: fn(&T) -> usize) -> (Sender<T>, Receiver<T>) {
    let (items, received) = mpsc::channel(items_max);
    let bytes_max = bytes_max.clamp(1, u32::MAX as usize);
    (Sender { items, room: Arc::new(Semaphore::new(bytes_max)), bytes_max, size }, Receiver(received))
}

impl<T> Sender<T> {
    /// Waits for room and sends.
    ///
    /// # Errors
    /// [`Gone`] when nobody receives any more.
    pub async fn send(&self, item: T) -> Result<(), Gone> {
        let bytes = (self.size)(&item).clamp(1, self.bytes_max);
        let room = self.room.clone().acquire_many_owned(u32::try_from(bytes).unwrap_or(u32::MAX));
        let room = tokio::select! {
            biased;
            // The semaphore is never closed.
            room = room => room.map_err(|_| Gone)?,
            () = self.items.closed() => return Err(Gone),
        };
        self.items.send((item, room)).await.map_err(|_| Gone)
    }
}

impl<T> Receiver<T> {
    /// The next item; `None` when the last sender is gone. May be dropped and called again.
    pub async fn recv(&mut self) -> Option<T> {
        self.0.recv().await.map(|(item, _room)| item)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const WAITS: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn what_waits_is_bounded_in_bytes_and_in_number() {
        let (sender, mut receiver) = bounded::<Vec<u8>>(3, 100, Vec::len);
        sender.send(vec![0; 60]).await.unwrap();
        let mut second = Box::pin(sender.send(vec![0; 41]));
        assert!(timeout(WAITS, &mut second).await.is_err(), "101 bytes");
        assert_eq!(receiver.recv().await.unwrap().len(), 60);
        second.await.unwrap();
        sender.send(vec![]).await.unwrap();
        sender.send(vec![]).await.unwrap();
        assert!(timeout(WAITS, sender.send(vec![])).await.is_err(), "four items");
        for size in [41, 0, 0] {
            assert_eq!(receiver.recv().await.unwrap().len(), size);
        }
        drop(sender);
        assert_eq!(receiver.recv().await, None);
    }

    #[tokio::test]
    async fn an_item_larger_than_the_bound_waits_until_it_is_alone_and_an_end_wakes_who_waits() {
        let (sender, mut receiver) = bounded::<Vec<u8>>(9, 100, Vec::len);
        sender.send(vec![1]).await.unwrap();
        let mut large = Box::pin(sender.send(vec![0; 5000]));
        assert!(timeout(WAITS, &mut large).await.is_err());
        receiver.recv().await.unwrap();
        large.await.unwrap();
        let mut waiting = Box::pin(sender.send(vec![1]));
        assert!(timeout(WAITS, &mut waiting).await.is_err());
        drop(receiver);
        assert_eq!(waiting.await, Err(Gone));
    }
}
