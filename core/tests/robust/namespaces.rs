//! A thread that goes from one network namespace to another is never told of the wrong one.

use subflows::{Connections, ErrorKind, Open};
use subflows_lab::{Namespace, Net, ready};

use super::common::{Pair, judge};
use super::controlled;

/// What a thread in `here` is told of its own connection and of another namespace's.
fn tells_of_its_own(here: (&Namespace, &Pair), other: &Pair) {
    let (namespace, own) = here;
    let _inside = namespace.enter().unwrap();
    let (token, foreign) = (judge::token(&own.client), judge::token(&other.client));
    let id = subflows::list(&own.client).unwrap()[0].id;
    let local = own.client.local_addr().unwrap();

    // The first question after the move, and one by a number that the other namespace knows: it may
    // still be answered, and then about that connection.
    match subflows::connection(foreign) {
        Ok(found) => assert_eq!(found.local, other.client.local_addr().unwrap()),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Closed),
    }
    assert_eq!(subflows::details(&own.client, id).unwrap().local, local);
    assert_eq!(subflows::addresses(&own.client).unwrap()[0].ip, local.ip());
    assert!(subflows::status(&own.client).unwrap().is_ready);
    let found = subflows::connection(token).unwrap();
    assert_eq!((found.token, found.local), (token, local));
    let all = subflows::connections(&Connections::new().subflows(true)).unwrap();
    assert_eq!(all.iter().map(|found| found.token).collect::<Vec<_>>(), [token]);
    assert_eq!(all[0].subflows.len(), 1);
    subflows::events(&own.client).unwrap();
    subflows::set_backup(&own.client, id, false).unwrap();

    // Reading by the socket itself is right from anywhere.
    let initial = &subflows::list(&other.client).unwrap()[0];
    assert_eq!(initial.local, other.client.local_addr().unwrap());
    assert_eq!(subflows::info(&other.client).unwrap().token, foreign);
    assert_eq!(subflows::status(&other.client).unwrap().token, Some(foreign));
    let refused = [
        subflows::details(&other.client, initial.id).map(drop),
        subflows::open(&other.client, &Open::new()).map(drop),
        subflows::events(&other.client).map(drop),
        subflows::set_backup(&other.client, initial.id, false),
    ];
    for (verb, refused) in refused.into_iter().enumerate() {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::OtherNamespace, "verb {verb}");
    }
}

#[test]
fn a_thread_that_goes_elsewhere_is_told_of_where_it_is() {
    if !ready() {
        return;
    }
    let nets = [Net::two_subnets().unwrap(), Net::two_subnets().unwrap()];
    for family in [0, 1] {
        let pairs = [controlled(&nets[0], family), controlled(&nets[1], family)];
        for round in 0..100 {
            // In turn, and sometimes twice in the same.
            let here = (round / 3) % 2;
            let there = 1 - here;
            tells_of_its_own((&nets[here].client, &pairs[here]), &pairs[there]);
        }
        assert!(pairs.iter().all(Pair::moves_data));
    }
}
