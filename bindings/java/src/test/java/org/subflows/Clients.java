package org.subflows;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.apache.hc.client5.http.classic.methods.HttpGet;
import org.apache.hc.client5.http.impl.classic.HttpClients;
import org.apache.hc.core5.http.io.entity.EntityUtils;

/** Clients of other projects. Each keeps its connection, because it is never closed. */
final class Clients {
    private Clients() {}

    static String okHttp(OkHttpClient.Builder client, int port) throws IOException {
        Request request = new Request.Builder().url(url(port)).build();
        try (Response response = client.build().newCall(request).execute()) {
            return response.body().string();
        }
    }

    static String urlConnection(int port) throws IOException {
        try (InputStream in = new URL(url(port)).openStream()) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    static String apache(int port) throws IOException {
        return HttpClients.createDefault()
                .execute(
                        new HttpGet(url(port)),
                        answer -> EntityUtils.toString(answer.getEntity()));
    }

    static String h2(int port) throws SQLException {
        String url = "jdbc:h2:tcp://127.0.0.1:" + port + "/mem:things";
        ResultSet row =
                DriverManager.getConnection(url).createStatement().executeQuery("select 'hello'");
        row.next();
        return row.getString(1);
    }

    private static String url(int port) {
        return "http://127.0.0.1:" + port + "/";
    }
}
