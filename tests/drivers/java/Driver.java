import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** The driver in Java: answers each line of the conformance runner with one line. */
final class Driver {
    /** Carries a request out, and returns the fields of the answer. */
    interface Verb {
        Map<String, Object> perform(Request request) throws IOException;
    }

    private final Map<String, Verb> verbs = new LinkedHashMap<>();
    private final PlainSockets sockets = new PlainSockets(verbs);
    private final Library library = new Library(sockets, verbs);
    private String remedy = "";

    private Driver() {
        verbs.put("enter", this::enter);
        verbs.put("remedy", request -> Map.of("remedy", remedy));
        verbs.put(
                "hello",
                request -> Map.of("language", "java", "verbs", String.join(",", verbs.keySet())));
    }

    /** Forgets everything that has a name, and moves to another network namespace. */
    private Map<String, Object> enter(Request request) throws IOException {
        library.closeAll();
        sockets.closeAll();
        int error = enter(request.text("namespace"));
        if (error != 0) {
            throw Fault.protocol("setns: error " + error);
        }
        return Map.of();
    }

    /** Of the launcher: moves the calling thread, and returns an error number. */
    private static native int enter(String namespace);

    private String answer(String line) {
        try {
            Request request = new Request(line);
            Verb verb = verbs.get(request.verb());
            if (verb == null) {
                throw Fault.protocol("unknown verb " + request.verb());
            }
            return Answer.of(verb.perform(request));
        } catch (IOException | RuntimeException thrown) {
            Fault fault = Fault.of(thrown);
            remedy = fault.remedy();
            return fault.getMessage();
        }
    }

    public static void main(String[] arguments) throws IOException {
        Driver driver = new Driver();
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader in =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            if (line.equals("quit")) {
                return;
            }
            // println could write the line in two parts.
            out.print(driver.answer(line) + "\n");
            out.flush();
        }
    }
}
