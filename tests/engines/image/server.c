/* The light image's server: as little of a single-user server as a hub must see, in one static file.
 *
 * It listens where JUPYTERHUB_SERVICE_URL says, answers every request with 200 and what it was started with, as JSON
 * {"environment": {…}, "folder": "…", "args": […], "uid": n, "gid": n}, and ends at SIGTERM or SIGINT. FAIL=<text> makes
 * it write that text and end with 3; DELAY=<seconds> makes it wait before it listens. One request at a time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

extern char **environ;

static void end(int number) { (void)number; _exit(0); }

static void quoted(FILE *out, const char *from, size_t length) {
    fputc('"', out);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)from[i];
        if (c == '"' || c == '\\') fprintf(out, "\\%c", c);
        else if (c < 0x20) fprintf(out, "\\u%04x", c);
        else fputc(c, out);
    }
    fputc('"', out);
}

static char *started_with(int argc, char **argv, size_t *size) {
    char *body = NULL, folder[4096];
    FILE *out = open_memstream(&body, size);
    fputs("{\"environment\": {", out);
    for (char **entry = environ, *comma = ""; *entry; entry++) {
        char *equals = strchr(*entry, '=');
        if (!equals) continue;
        fputs(comma, out);
        quoted(out, *entry, (size_t)(equals - *entry));
        fputs(": ", out);
        quoted(out, equals + 1, strlen(equals + 1));
        comma = ", ";
    }
    fputs("}, \"folder\": ", out);
    if (!getcwd(folder, sizeof folder)) strcpy(folder, "?");
    quoted(out, folder, strlen(folder));
    fputs(", \"args\": [", out);
    for (int i = 1; i < argc; i++) {
        if (i > 1) fputs(", ", out);
        quoted(out, argv[i], strlen(argv[i]));
    }
    fprintf(out, "], \"uid\": %d, \"gid\": %d}\n", getuid(), getgid());
    fclose(out);
    return body;
}

static int port_of(const char *url) {
    const char *host = url ? strstr(url, "://") : NULL, *colon = host ? strrchr(host, ':') : NULL;
    if (colon && colon[1] != '/') return atoi(colon + 1);
    /* a path may hold a colon, a port comes before it */
    if (host && (host = strchr(host + 3, ':'))) return atoi(host + 1);
    return 8888;
}

static void answer(int client, const char *body, size_t size, const char *version) {
    char request[65536], head[256];
    size_t held = 0;
    struct timeval patience = {5, 0};
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    while (held < sizeof request - 1) {
        ssize_t got = read(client, request + held, sizeof request - 1 - held);
        if (got <= 0) break;
        request[held += (size_t)got] = 0;
        if (strstr(request, "\r\n\r\n")) break;
    }
    if (!held) return;
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                          "X-JupyterHub-Version: %s\r\nConnection: close\r\n\r\n", size, version);
    if (write(client, head, (size_t)length) < 0) return;
    for (size_t sent = 0; strncmp(request, "HEAD ", 5) && sent < size;) {
        ssize_t wrote = write(client, body + sent, size - sent);
        if (wrote <= 0) return;
        sent += (size_t)wrote;
    }
}

int main(int argc, char **argv) {
    const char *fail = getenv("FAIL"), *delay = getenv("DELAY"), *version = getenv("LIGHT_JUPYTERHUB_VERSION");
    size_t size;
    char *body = started_with(argc, argv, &size);
    int yes = 1, port = port_of(getenv("JUPYTERHUB_SERVICE_URL"));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};

    signal(SIGTERM, end);
    signal(SIGINT, end);
    signal(SIGPIPE, SIG_IGN);
    if (fail) {
        fprintf(stderr, "%s\n", fail);
        return 3;
    }
    if (delay) sleep((unsigned)atoi(delay));
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 128)) {
        fprintf(stderr, "port %d: %s\n", port, strerror(errno));
        return 1;
    }
    fprintf(stderr, "listening on port %d\n", port);
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0) continue;
        answer(client, body, size, version ? version : "6.1.1");
        close(client);
    }
}
