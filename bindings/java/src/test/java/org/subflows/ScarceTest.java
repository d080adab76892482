package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.FileInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** If no descriptor is left, the error names the verb that needed one. */
class ScarceTest {
    /** The error once named the wait, and not the verb that waited. */
    @Test
    void aWaitWithoutDescriptorsFailsAsItsVerb() throws Exception {
        List<String> under = List.of("prlimit", "--nofile=128:128");
        String said = Jvm.said(under, "org.subflows.ScarceTest$Child");
        assertEquals("events OS 24, open OS 24, afterwards OK", said);
    }

    static final class Child {
        private Child() {}

        public static void main(String[] arguments) throws Exception {
            List<FileInputStream> all = new ArrayList<>();
            try (Pair pair = Pair.controlled();
                    WaitTest.Silence silence = new WaitTest.Silence();
                    Events events = Subflows.events(pair.client);
                    Opening opening = Opening.begin(pair.client, to(silence))) {
                // Loads all classes that are needed: later their files cannot be opened.
                outcome(() -> Subflows.details(pair.client, 77));
                Subflows.open(pair.client, OpenOptions.from(InetAddress.getByName("127.0.0.2")));
                events.take();
                events.poll(Duration.ofMillis(1));
                fill(all);
                String first = outcome(events::take);
                System.out.print(first + ", " + outcome(opening::finish));
                for (FileInputStream one : all) {
                    one.close();
                }
                events.poll(Duration.ofMillis(1));
                System.out.print(", afterwards OK");
            }
        }

        private static OpenOptions to(WaitTest.Silence silence) {
            return OpenOptions.defaults().remote(silence.address());
        }

        private static void fill(List<FileInputStream> all) {
            try {
                for (; ; ) {
                    all.add(new FileInputStream("/dev/null"));
                }
            } catch (IOException full) {
                // No descriptor is left.
            }
        }

        private static String outcome(WaitTest.Wait wait) throws Exception {
            try {
                wait.run();
                return "nothing";
            } catch (SubflowsException error) {
                return error.operation() + ' ' + error.kind() + ' ' + error.errno().orElse(0);
            }
        }
    }
}
