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
    private String remedy = "";

    private Driver() {
        PlainSockets sockets = new PlainSockets(verbs);
        new Library(sockets, verbs);
        verbs.put("remedy", request -> Map.of("remedy", remedy));
        verbs.put(
                "hello",
                request -> Map.of("language", "java", "verbs", String.join(",", verbs.keySet())));
    }

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
