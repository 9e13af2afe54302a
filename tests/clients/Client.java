import java.io.FileInputStream;
import java.io.InputStream;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSession;
import org.apache.http.HttpEntity;
import org.apache.http.HttpResponse;
import org.apache.http.NameValuePair;
import org.apache.http.client.entity.UrlEncodedFormEntity;
import org.apache.http.client.methods.CloseableHttpResponse;
import org.apache.http.client.methods.HttpGet;
import org.apache.http.client.methods.HttpPost;
import org.apache.http.client.methods.HttpUriRequest;
import org.apache.http.conn.ManagedHttpClientConnection;
import org.apache.http.entity.ContentType;
import org.apache.http.entity.StringEntity;
import org.apache.http.impl.client.CloseableHttpClient;
import org.apache.http.impl.client.HttpClients;
import org.apache.http.message.BasicNameValuePair;
import org.apache.http.protocol.HttpContext;
import org.apache.http.protocol.HttpCoreContext;
import org.apache.http.ssl.SSLContextBuilder;
import org.apache.http.ssl.SSLContexts;
import org.apache.http.util.EntityUtils;

/**
 * Apache HttpClient 4: one client that keeps its connection, gzip offered, JSON with its character set. With a
 * KEYSTORE it has a certificate of its own to present, and fails unless it was asked for it.
 */
public class Client {
    static final String API = env("PUBLIC") + "/iocm/app/sec/v1.1.0/";
    static final char[] PASSWORD = "changeit".toCharArray();

    interface Step {
        void run() throws Exception;
    }

    static class Answer {
        int status;
        String body;
    }

    static CloseableHttpClient client;
    static boolean hasPresented;
    static String firstRefresh, secondRefresh, secondAccess;

    public static void main(String[] arguments) throws Exception {
        client = HttpClients.custom()
            .setSSLContext(secured())
            .addInterceptorLast(Client::look)
            .build();
        step("login", () -> firstRefresh = string(pair(login(env("SECRET"))), "refreshToken"));
        step("refresh", () -> {
            Answer answer = pair(refresh(firstRefresh));
            secondRefresh = string(answer, "refreshToken");
            secondAccess = string(answer, "accessToken");
            check(!secondRefresh.equals(firstRefresh), answer);
        });
        step("verify", () -> {
            HttpGet call = new HttpGet(env("PRIVATE") + "/verify");
            call.addHeader("app_key", env("APP_ID"));
            call.addHeader("Authorization", "Bearer " + secondAccess);
            Answer answer = send(call);
            check(answer.status == 200, answer);
        });
        step("refresh-again", () -> {
            Answer answer = pair(refresh(firstRefresh));
            check(string(answer, "refreshToken").equals(secondRefresh), answer);
        });
        step("logout", () -> {
            Answer answer = json("logout", "{\"accessToken\":\"" + secondAccess + "\"}");
            check(answer.status == 204 && answer.body == null, answer);
        });
        step("refresh-after-logout", () -> refused(refresh(secondRefresh), 400, "50400"));
        step("wrong-secret", () -> refused(login("wrong"), 401, "100208"));
        if (hasPresented != (System.getenv("KEYSTORE") != null)) {
            System.out.println("not ok certificate: presented is " + hasPresented);
        }
    }

    static void look(HttpResponse answer, HttpContext context) {
        // Without a body, the connection has gone back to where it is kept.
        if (answer.getEntity() != null && answer.getEntity().getContentLength() > 0) {
            SSLSession session = HttpCoreContext.adapt(context)
                .getConnection(ManagedHttpClientConnection.class).getSSLSession();
            hasPresented |= session != null && session.getLocalCertificates() != null;
        }
    }

    static SSLContext secured() throws Exception {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        try (InputStream file = new FileInputStream(env("CERTIFICATE"))) {
            Certificate certificate = CertificateFactory.getInstance("X.509").generateCertificate(file);
            trusted.setCertificateEntry("server", certificate);
        }
        SSLContextBuilder builder = SSLContexts.custom().loadTrustMaterial(trusted, null);
        if (System.getenv("KEYSTORE") != null) {
            KeyStore own = KeyStore.getInstance("PKCS12");
            try (InputStream file = new FileInputStream(env("KEYSTORE"))) {
                own.load(file, PASSWORD);
            }
            builder.loadKeyMaterial(own, PASSWORD);
        }
        return builder.build();
    }

    static Answer login(String secret) throws Exception {
        List<NameValuePair> fields = new ArrayList<>();
        fields.add(new BasicNameValuePair("appId", env("APP_ID")));
        fields.add(new BasicNameValuePair("secret", secret));
        HttpPost request = new HttpPost(API + "login");
        request.setEntity(new UrlEncodedFormEntity(fields));
        return send(request);
    }

    static Answer refresh(String token) throws Exception {
        return json("refreshToken", "{\"appId\":\"" + env("APP_ID") + "\",\"secret\":\"" + env("SECRET")
            + "\",\"refreshToken\":\"" + token + "\"}");
    }

    static Answer json(String operation, String body) throws Exception {
        HttpPost request = new HttpPost(API + operation);
        request.setEntity(new StringEntity(body, ContentType.APPLICATION_JSON));
        return send(request);
    }

    static Answer send(HttpUriRequest request) throws Exception {
        try (CloseableHttpResponse response = client.execute(request)) {
            HttpEntity entity = response.getEntity();
            Answer answer = new Answer();
            answer.status = response.getStatusLine().getStatusCode();
            answer.body = entity == null ? null : EntityUtils.toString(entity);
            return answer;
        }
    }

    static Answer pair(Answer answer) throws Exception {
        check(answer.status == 200, answer);
        Integer expiresIn = Integer.valueOf(find(answer, "\"expiresIn\":(\\d+)[,}]"));
        check(expiresIn > 0 && !answer.body.contains("error_code"), answer);
        return answer;
    }

    static void refused(Answer answer, int status, String code) throws Exception {
        check(answer.status == status && string(answer, "error_code").equals(code), answer);
    }

    static String string(Answer answer, String name) throws Exception {
        return find(answer, "\"" + name + "\":\"([^\"]*)\"");
    }

    static String find(Answer answer, String pattern) throws Exception {
        Matcher matcher = Pattern.compile(pattern).matcher(answer.body == null ? "" : answer.body);
        check(matcher.find(), answer);
        return matcher.group(1);
    }

    static void check(boolean holds, Answer answer) throws Exception {
        if (!holds) {
            throw new Exception(answer.status + " " + answer.body);
        }
    }

    static void step(String name, Step step) {
        try {
            step.run();
            System.out.println("ok " + name);
        } catch (Exception error) {
            System.out.println("not ok " + name + ": " + error);
        }
    }

    static String env(String name) {
        return System.getenv(name);
    }
}
