//! Tricks that more than one test plays.

use super::{Answer, Then, Trick};

/// Answers so, once the whole request is there.
pub fn say(answer: Answer) -> Trick {
    Box::new(move |exchange| {
        exchange.read_all();
        exchange.send(&answer)
    })
}

/// Answers so after so many bytes of the request's body, and takes no more of it.
pub fn say_early(bytes: u64, answer: Answer) -> Trick {
    Box::new(move |exchange| {
        exchange.read(bytes);
        exchange.send(&answer);
        exchange.linger()
    })
}

/// Answers with these bytes, whatever they are.
pub fn raw(bytes: impl Into<Vec<u8>>) -> Trick {
    let bytes = bytes.into();
    Box::new(move |exchange| {
        exchange.read_all();
        exchange.write(&bytes);
        Then::Close
    })
}

/// Hangs up after so many bytes of the request's body.
pub fn cut_request(bytes: u64) -> Trick {
    Box::new(move |exchange| {
        exchange.read(bytes);
        Then::Close
    })
}

/// Hangs up after so many bytes of the usual answer's body.
pub fn cut_body(bytes: usize) -> Trick {
    Box::new(move |exchange| {
        if let Some(answer) = exchange.usual() {
            let end = answer.head().len() + bytes.min(answer.body.len());
            exchange.write(&answer.bytes()[..end]);
        }
        Then::Close
    })
}

/// Hangs up after so many bytes of the usual answer, its head included.
pub fn cut_answer(bytes: usize) -> Trick {
    Box::new(move |exchange| {
        if let Some(answer) = exchange.usual() {
            let answer = answer.bytes();
            exchange.write(&answer[..bytes.min(answer.len())]);
        }
        Then::Close
    })
}

/// Answers as usual, but for what `change` does to it.
pub fn edit(change: impl Fn(&mut Answer) + Send + Sync + 'static) -> Trick {
    Box::new(move |exchange| match exchange.usual() {
        Some(mut answer) => {
            change(&mut answer);
            exchange.send(&answer)
        }
        None => Then::Close,
    })
}

/// Takes the request, and never answers.
pub fn silence() -> Trick {
    Box::new(|exchange| {
        exchange.read_all();
        exchange.wait()
    })
}

/// Sends these bytes one by one, with a pause after each.
pub fn drip(bytes: impl Into<Vec<u8>>, pause: std::time::Duration) -> Trick {
    let bytes = bytes.into();
    Box::new(move |exchange| {
        exchange.read_all();
        for byte in &bytes {
            if !exchange.write(&[*byte]) {
                break;
            }
            std::thread::sleep(pause);
        }
        Then::Close
    })
}

/// Sends `head`, then `block` again and again until nobody listens, or for a GiB.
pub fn endless(head: impl Into<Vec<u8>>, block: impl Into<Vec<u8>>) -> Trick {
    let (head, block) = (head.into(), block.into());
    Box::new(move |exchange| {
        exchange.read_all();
        let mut listens = exchange.write(&head);
        for _ in 0..(1 << 30) / block.len() {
            if !listens {
                break;
            }
            listens = exchange.write(&block);
        }
        Then::Close
    })
}
