//! Multipart forms: what is found does not depend on how they are cut, and lies
//! where it is said to lie.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline::internals::multipart::{Fault, Form, Model};

fn read<'f>(pieces: impl Iterator<Item = &'f [u8]>) -> Result<Option<Model>, Fault> {
    let mut form = Form::new(b"multipart/form-data; boundary=x")?;
    for piece in pieces {
        form.feed(piece)?;
    }
    form.finish()?;
    Ok(form.model().cloned())
}

fuzz_target!(|input: &[u8]| {
    let Some((size, body)) = input.split_first() else {
        return;
    };
    let whole = read(std::iter::once(body));
    assert_eq!(whole, read(body.chunks(usize::from(*size).max(1))));
    if let Ok(Some(model)) = whole {
        let place = model.span.start as usize..model.span.end as usize;
        assert_eq!(&body[place], model.name.as_bytes());
    }
});
