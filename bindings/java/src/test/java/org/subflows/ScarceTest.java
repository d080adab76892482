package org.subflows;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.FileInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Where descriptors run out, the verb that wanted one says so. */
class ScarceTest {
    /** A wait was told to have failed, whatever it was for. */
    @Test
    void aWaitWithoutDescriptorsIsToldByItsVerb() throws Exception {
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
                // Whatever classes it takes are loaded now: soon their files cannot be opened.
                told(() -> Subflows.details(pair.client, 77));
                Subflows.open(pair.client, OpenOptions.from(InetAddress.getByName("127.0.0.2")));
                events.take();
                events.poll(Duration.ofMillis(1));
                fill(all);
                String first = told(events::take);
                System.out.print(first + ", " + told(opening::finish));
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
                // As it should be.
            }
        }

        private static String told(WaitTest.Wait wait) throws Exception {
            try {
                wait.run();
                return "nothing";
            } catch (SubflowsException error) {
                return error.operation() + ' ' + error.kind() + ' ' + error.errno().orElse(0);
            }
        }
    }
}
