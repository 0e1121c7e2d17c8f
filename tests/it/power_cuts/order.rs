//! In which order a commit comes to the disk (R46). A cut shows a wrong order only where the sums of
//! pages do not make up for it, so that is looked at itself.

use super::disk::Event;
use super::tales;
use super::traffic::Play;

const HEADER_PAGE: usize = 4_096;
/// Where the header says which of two commits counts.
const FLAGS_AT: usize = 9;
const PRIMARY: u8 = 1;

#[test]
fn r46_a_commit_counts_only_once_all_of_it_was_synced() {
    for tale in [tales::rare_states(0), tales::random(1)] {
        let mut play = Play::create(tale.options);
        tale.steps.iter().for_each(|step| play.step(step));
        let played = play.close();
        let mut bytes = played.trace.before;
        let (mut counted, mut counts) = (0, 0);
        let mut pages_written = false;
        let mut commits = 0;
        for event in played.trace.events.iter() {
            event.apply(&mut bytes);
            match event {
                Event::Write(at, _) if *at < HEADER_PAGE => {
                    let mut flags = [0];
                    bytes.read(FLAGS_AT, &mut flags).unwrap();
                    counts = flags[0] & PRIMARY;
                }
                Event::Write(..) => pages_written = true,
                Event::SetLen(_) => {}
                Event::Sync => {
                    if counts != counted {
                        commits += 1;
                        assert!(!pages_written, "{}, commit {commits}", tale.name);
                    }
                    (counted, pages_written) = (counts, false);
                }
            }
        }
        assert!(commits >= 20, "{commits} commits");
    }
}
