use fastrand::Rng;

use super::merge::ChunkMerger;
use super::oracle::{FrameCounts, check_connection};

const HEAD: &str = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A body in chunks of these sizes.
fn chunked(data: &[u8], mut size: impl FnMut() -> usize) -> Vec<u8> {
    let mut body = Vec::new();
    let mut rest = data;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(size().clamp(1, rest.len()));
        body.extend(format!("{:x}\r\n", chunk.len()).bytes());
        body.extend(chunk);
        body.extend(b"\r\n");
        rest = after;
    }
    body
}

/// All of a body merged, read in parts of these lengths, with so much room at a time.
fn merged(body: &[u8], length: usize, room: usize) -> Vec<u8> {
    let mut chunks = ChunkMerger::at_body();
    let mut result = Vec::new();
    for mut read in body.chunks(length) {
        while !read.is_empty() {
            let mut out = vec![0; room];
            let (taken, written) = chunks.merge(read, &mut out);
            assert!(taken >= written && written > 0, "{taken} {written}");
            result.extend(&out[..written]);
            read = &read[taken..];
        }
    }
    result
}

#[test]
fn small_chunks_that_arrived_together_are_joined() {
    for (body, expected) in [
        ("1\r\na\r\n1\r\nb\r\n0\r\n\r\n", "0002\r\nab\r\n0\r\n\r\n"),
        ("1\r\na\r\n0\r\n\r\n", "1\r\na\r\n0\r\n\r\n"),
        (
            "2\r\nab\r\nA\r\n0123456789\r\n01\r\nc\r\n",
            "000d\r\nab0123456789c\r\n",
        ),
        ("1\r\na\r\n1\r\nb\r\n3\r\ncd", "0002\r\nab\r\n3\r\ncd"),
        (
            "1\r\na\r\n1\r\n\r\r\n1\r\n\n\r\n1\r\n1\r\n1\r\nb\r\n",
            "0005\r\na\r\n1b\r\n",
        ),
    ] {
        let found = merged(body.as_bytes(), usize::MAX, 1000);
        assert_eq!(String::from_utf8_lossy(&found), expected);
    }
}

#[test]
fn what_is_not_understood_stays_as_it_is_to_the_end() {
    let small = "1\r\na\r\n1\r\nb\r\n";
    for odd in [
        "1;x=y\r\na\r\n",
        "1;\r\na\r\n",
        "1 \r\na\r\n",
        "1\na\r\n",
        "1\r\na\n",
        "1\r\nab\r\n",
        "1\r\r\na\r\n",
        " 1\r\na\r\n",
        "+1\r\na\r\n",
        "0x1\r\na\r\n",
        "\r\n",
        "g\r\na\r\n",
        "000000001\r\na\r\n",
        "100000001\r\na\r\n",
        "0\r\n\r\n",
        "00\r\nX: y\r\n\r\nPOST / HTTP/1.1\r\n\r\n",
        "0 \r\n\r\n",
    ] {
        let body = [odd, small, small].concat();
        for length in 1..=body.len() {
            let found = merged(body.as_bytes(), length, 1000);
            assert_eq!(String::from_utf8_lossy(&found), body, "{length}");
        }
        let found = merged([small, &body].concat().as_bytes(), 1000, 1000);
        let expected = ["0002\r\nab\r\n", &body].concat();
        assert_eq!(String::from_utf8_lossy(&found), expected);
    }
}

#[test]
fn long_chunks_are_not_copied_into_others() {
    let long = "x".repeat(1025);
    let body = format!("401\r\n{long}\r\n401\r\n{long}\r\n");
    assert_eq!(merged(body.as_bytes(), 10_000, 10_000), body.as_bytes());
    assert_eq!(ChunkMerger::at_body().pass(body.as_bytes()), body.len());
    let short = &long[..1024];
    let body = format!("401\r\n{long}\r\n400\r\n{short}\r\n400\r\n{short}\r\n");
    let expected = format!("401\r\n{long}\r\n0800\r\n{short}{short}\r\n");
    assert_eq!(merged(body.as_bytes(), 10_000, 10_000), expected.as_bytes());
    assert_eq!(ChunkMerger::at_body().pass(body.as_bytes()), 5 + 1025 + 2);
}

#[test]
fn joined_chunks_fit_the_room_and_four_digits() {
    let body = chunked(&vec![b'x'; 200_000], || 1000);
    for room in [1, 7, 8, 9, 11, 2007, 2008, 8192, 300_000] {
        let found = merged(&body, usize::MAX, room);
        assert!(found.len() <= body.len());
        let joined = found.starts_with(if room == 300_000 { b"fde8" } else { b"07d0" });
        assert_eq!(joined, matches!(room, 2008 | 300_000), "{room}");
    }
}

#[test]
fn a_request_in_one_byte_chunks_takes_a_frame_for_each_read() {
    let data = vec![b'x'; 20_000];
    let body = [&*chunked(&data, || 1), b"0\r\n\r\n"].concat();
    for (reads, most) in [
        (vec![], 20),
        (vec![HEAD.len()], 20),
        (vec![HEAD.len() + 2], 20),
        (vec![HEAD.len() - 5], 20),
        (vec![1000; 130], 300),
    ] {
        let request = [HEAD.as_bytes(), &body].concat();
        let FrameCounts { alone, joined } = check_connection(&request, &reads);
        assert_eq!(alone, data.len());
        assert!(joined <= most, "{joined}");
    }
}

/// The same after requests of other kinds.
#[test]
fn every_request_of_a_connection_is_joined() {
    let body = [&*chunked(&[b'x'; 1000], || 1), b"0\r\n\r\n"].concat();
    let chunked = [HEAD.as_bytes(), &body].concat();
    let plain = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n1\r\nabc".to_vec();
    let get = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec();
    let requests = [&chunked, &plain, &get, &chunked, &get, &chunked];
    let reads = requests.map(Vec::len);
    let requests: Vec<u8> = requests.into_iter().flatten().copied().collect();
    let frames = check_connection(&requests, &reads);
    assert_eq!(frames.alone, 3001);
    assert!(frames.joined < 20, "{}", frames.joined);
}

#[test]
fn the_end_of_a_head_is_not_guessed() {
    let body = [&*chunked(b"123456", || 1), b"0\r\n\r\n"].concat();
    for head in [
        // Bare line feeds.
        "POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n",
        "POST / HTTP/1.1\nTransfer-Encoding: chunked\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\n",
        // Empty lines before it.
        "\r\n\r\nPOST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "\n\nPOST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        // The body of a request of known length.
        "POST / HTTP/1.1\r\nContent-Length: 36\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\n1\r\nx\r\n1\r\ny\r\n\
         POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        // Not read, or not as chunks.
        "POST /drop HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
        "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        let request = [head.as_bytes(), &body, HEAD.as_bytes(), &body].concat();
        for at in 0..request.len() {
            check_connection(&request, &[at]);
            check_connection(&request, &[at, 1]);
        }
        check_connection(&request, &vec![1; request.len()]);
    }
}

/// Requests with valid and invalid framing.
struct RandomRequests(Rng);

impl RandomRequests {
    fn data(&mut self) -> Vec<u8> {
        let most = self.one_of(&[4, 60, 300, 2000]);
        let length = self.0.usize(..most);
        let mut data = Vec::new();
        while data.len() < length {
            // As much like framing as can be.
            let next: &[u8] = match self.0.u8(..8) {
                0 => b"\r\n",
                1 => b"1\r\n",
                2 => b"0\r\n\r\n",
                3 => HEAD.as_bytes(),
                4 => b"\n",
                5 => b"\r",
                6 => b"abcdef",
                _ => b"x",
            };
            data.extend(next);
        }
        data
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.0.usize(..values.len())]
    }

    fn mostly<T: Copy>(&mut self, usual: T, others: &[T]) -> T {
        if self.0.u8(..8) > 0 {
            usual
        } else {
            self.one_of(others)
        }
    }

    fn head(&mut self) -> Vec<u8> {
        let path = self.one_of(&["/", "/", "/", "/early", "/drop"]);
        let coding = self.mostly("chunked", &["Chunked", "gzip, chunked", "chunked, gzip"]);
        let version = self.mostly("1.1", &["1.0"]);
        let other = self.mostly(
            "X: y\r\n",
            &["Expect: 100-continue\r\n", "Content-Length: 5\r\n"],
        );
        let head = format!(
            "POST {path} HTTP/{version}\r\nHost: h\r\n{other}Transfer-Encoding: {coding}\r\n\r\n"
        );
        match self.0.u8(..32) {
            0 => head.replace("\r\n", "\n").into(),
            1 => head.replacen("\r\n\r\n", "\r\n\n", 1).into(),
            2 => head.replacen("\r\n\r\n", "\n\r\n", 1).into(),
            3 => format!("\r\n{head}").into(),
            _ => head.into(),
        }
    }

    fn body(&mut self) -> Vec<u8> {
        let data = self.data();
        let most = self.one_of(&[1, 1, 2, 3, 20, 3000]);
        let mut body = chunked(&data, || self.0.usize(1..=most));
        body.extend::<&[u8]>(match self.0.u8(..8) {
            0 => b"0\r\nX: y\r\n\r\n",
            1 => b"0;x\r\n\r\n",
            2 => b"000\r\nX: y\r\nZ: 1\r\n\r\n",
            _ => b"0\r\n\r\n",
        });
        body
    }

    /// Requests, and the length of each.
    fn requests(&mut self) -> (Vec<u8>, Vec<usize>) {
        let (mut requests, mut lengths) = (Vec::new(), Vec::new());
        for _ in 0..self.0.usize(1..=3) {
            let before = requests.len();
            match self.0.u8(..6) {
                0 => requests.extend(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
                1 => {
                    let data = self.data();
                    let length = data.len();
                    let head = format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
                    requests.extend(head.bytes());
                    requests.extend(data);
                }
                _ => {
                    requests.extend(self.head());
                    requests.extend(self.body());
                }
            }
            lengths.push(requests.len() - before);
        }
        (requests, lengths)
    }

    fn mutate(&mut self, requests: &mut Vec<u8>) {
        const BYTES: &[u8] = b"\r\n0123456789abcdefABCDEF;: \t\0gx+-\xFF";
        for _ in 0..self.0.usize(..6).saturating_sub(2) {
            let at = self.0.usize(..requests.len());
            let byte = BYTES[self.0.usize(..BYTES.len())];
            match self.0.u8(..4) {
                0 => drop(requests.remove(at)),
                1 => requests.insert(at, byte),
                2 => requests.truncate(at),
                _ => requests[at] = byte,
            }
            if requests.is_empty() {
                return;
            }
        }
    }

    fn reads(&mut self, length: usize) -> Vec<usize> {
        let most = self.one_of(&[1, 10, 100, 1000, 10_000, 10_000]);
        let most = most.min(length.max(1));
        let count = length / most.div_ceil(2);
        (0..count).map(|_| self.0.usize(1..=most)).collect()
    }
}

#[test]
fn hyper_receives_the_same_requests_as_without() {
    let mut random = RandomRequests(Rng::with_seed(12));
    let (mut alone, mut joined, mut differing) = (0, 0, 0);
    for _ in 0..1500 {
        let (mut requests, lengths) = random.requests();
        random.mutate(&mut requests);
        let reads = if random.0.bool() {
            lengths
        } else {
            random.reads(requests.len())
        };
        let frames = check_connection(&requests, &reads);
        alone += frames.alone;
        joined += frames.joined;
        differing += usize::from(frames.alone != frames.joined);
    }
    assert!(
        differing > 200 && joined < alone / 3 * 2,
        "{differing}: {joined} of {alone}"
    );
}
