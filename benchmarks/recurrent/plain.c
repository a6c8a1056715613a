/* The benchmark's network in plain C: what the arithmetic costs if nothing else is there.
   One population, one input line a neuron, pair STDP, all delays one tick; nothing is checked. */
#include <math.h>
#include <stdint.h>

typedef struct {
    double drive, trace, floor, stamp;
} cell;

typedef struct {
    int64_t neurons, volleys, spikes, deliveries, touches;
    double leak_log, pre_log, at_pre, at_post, most, kick;
    const double *leak, *decay; /* tables of 4097 and 1024 entries */
    const uint32_t *start, *target, *in_start, *in_synapse, *in_source;
    double *weight, *v, *since, *pre;
    cell *cells;
    int32_t *touched, *fired, *before;
    int64_t fired_count, last, origin;
} circuit;

static void rescale(circuit *c, int64_t now) {
    double shrink = exp(c->pre_log * (double)(now - c->origin));
    for (int64_t i = 0; i < c->neurons; i++) {
        c->pre[i] *= shrink;
        c->cells[i].trace *= shrink;
    }
    c->origin = now;
}

static void sort(int32_t *list, int64_t count) {
    int64_t gap = 1;
    while (9 * gap < count) gap = 3 * gap + 1;
    for (; gap; gap /= 3)
        for (int64_t i = gap; i < count; i++) {
            int32_t value = list[i];
            int64_t j = i;
            for (; j >= gap && list[j - gap] > value; j -= gap) list[j] = list[j - gap];
            list[j] = value;
        }
}

static void volley(circuit *c, int64_t now, const int32_t *lines, int64_t count) {
    cell *cells = c->cells;
    double *weight = c->weight, stamp = (double)now, most = c->most;
    int32_t *arrived = c->before;
    int64_t arrivals = c->last == now - 1 ? c->fired_count : 0, listed = 0, found = 0;
    if (now - c->origin > 1000) rescale(c, now);
    double factor = c->decay[now - c->origin], down = c->at_pre * factor, up = c->at_post * factor;
    c->before = c->fired;
    c->fired = arrived;
    arrived = c->before;
    for (int64_t n = 0; n < count; n++) {
        cell *to = cells + lines[n];
        c->touched[listed] = lines[n];
        listed += to->stamp != stamp;
        to->stamp = stamp;
        to->drive += c->kick;
    }
    for (int64_t n = 0; n < arrivals; n++) cells[arrived[n]].floor = -INFINITY;
    for (int64_t n = 0; n < arrivals; n++) {
        uint32_t end = c->start[arrived[n] + 1];
        c->deliveries += end - c->start[arrived[n]];
        for (uint32_t s = c->start[arrived[n]]; s < end; s++) {
            cell *to = cells + c->target[s];
            c->touched[listed] = (int32_t)c->target[s];
            listed += to->stamp != stamp;
            to->stamp = stamp;
            to->drive += weight[s];
            double moved = weight[s] + down * to->trace;
            moved = moved > to->floor ? moved : to->floor;
            weight[s] = moved < most ? moved : most;
        }
    }
    for (int64_t t = 0; t < listed; t++) {
        int32_t i = c->touched[t];
        int64_t gap = now - (int64_t)c->since[i];
        double v = c->v[i] * (gap <= 4096 ? c->leak[gap] : exp((double)gap * c->leak_log));
        v += cells[i].drive;
        int fires = v > 1.0;
        cells[i].drive = 0.0;
        c->since[i] = stamp;
        c->v[i] = fires ? 0.0 : v;
        c->fired[found] = i;
        found += fires;
    }
    sort(c->fired, found);
    for (int64_t n = 0; n < arrivals; n++) {
        uint32_t end = c->in_start[arrived[n] + 1];
        for (uint32_t r = c->in_start[arrived[n]]; r < end; r++) {
            uint32_t s = c->in_synapse[r];
            double moved = weight[s] + up * c->pre[c->in_source[r]];
            moved = moved > 0.0 ? moved : 0.0;
            weight[s] = moved < most ? moved : most;
        }
    }
    for (int64_t n = 0; n < arrivals; n++) {
        cells[arrived[n]].floor = 0.0;
        cells[arrived[n]].trace += 1.0 / factor;
        c->pre[arrived[n]] += 1.0 / factor;
    }
    c->fired_count = found;
    c->last = now;
    c->spikes += found;
    c->touches += listed;
    c->volleys++;
}

void run(circuit *c, const int64_t *ticks, const int32_t *lines, int64_t count, int64_t until) {
    int64_t n = 0;
    for (;;) {
        int64_t now = n < count ? ticks[n] : INT64_MAX, first = n;
        if (c->fired_count && c->last + 1 < now) now = c->last + 1;
        if (now >= until) return;
        while (n < count && ticks[n] == now) n++;
        volley(c, now, lines + first, n - first);
    }
}
