/* A motion sensor for kinestream in C: cc sensor.c -o sensor -lzmq -lm; ./sensor tcp://127.0.0.1:5556 1000
   Receive its samples with: kinestream run 'zmq+tcp://127.0.0.1:5556?mode=pull&bind=1'
   Requires a little-endian machine, as nearly all are. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { RATE = 50, PER_MESSAGE = 25 };
static const char *const session = "run-1", *const channels =
    "acc_x m/s^2\nacc_y m/s^2\nacc_z m/s^2\ngyro_x rad/s\ngyro_y rad/s\ngyro_z rad/s";

static void send_message(void *socket, uint8_t flags, uint32_t n, uint64_t seq, const float *payload) {
    uint8_t head[512] = "KIMU";
    uint16_t names = n ? strlen(channels) : 0;
    double times[3] = {n ? RATE : 0, (double)seq / RATE, (double)(seq + n) / RATE}; /* rate, t0, sent */
    head[4] = 1, head[5] = flags, head[6] = n ? 6 : 0, head[7] = strlen(session);
    memcpy(head + 8, &n, 4), memcpy(head + 12, &names, 2), memcpy(head + 16, &seq, 8), memcpy(head + 24, times, 24);
    memcpy(head + 48, session, head[7]), memcpy(head + 48 + head[7], channels, names);
    zmq_send(socket, "imu/c", 5, ZMQ_SNDMORE);
    zmq_send(socket, head, 48 + head[7] + names, ZMQ_SNDMORE);
    zmq_send(socket, payload, n * 6 * sizeof(float), 0);
}

int main(int count, char **words) {
    uint64_t seq = 0, samples = count > 2 ? strtoull(words[2], NULL, 10) : 1000;
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_PUSH);
    if (zmq_connect(socket, count > 1 ? words[1] : "tcp://127.0.0.1:5556")) return 1;
    for (; seq < samples; seq += PER_MESSAGE) {
        float payload[PER_MESSAGE][6] = {{0}};
        for (int i = 0; i < PER_MESSAGE; i++) /* read your sensor here; this example lies still and turns about z */
            payload[i][2] = 9.80665f, payload[i][5] = (float)sin((double)(seq + i) / RATE);
        send_message(socket, 0, PER_MESSAGE, seq, payload[0]);
    }
    send_message(socket, 4, 0, seq, NULL); /* the end of the stream */
    return zmq_close(socket) || zmq_ctx_term(context);
}
