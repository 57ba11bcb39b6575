/* The rows that the models of genmath chain ising and potts print: one for each temperature. */
#include <stdio.h>

#include "host/cli/chain_lattice.h"

gm_chain_row gm_chain_make_row(const gm_chain_place *w, const gm_chain_columns *columns,
                               int64_t temperature) {
    const double sites = (double)w->sites, q = w->quantum;
    const double t = gm_chain_temperature(w, temperature);
    double unused, e_error, m_error;
    const double e = gm_chain_mean(w, temperature, columns->energy, &e_error);
    const double e2 = gm_chain_mean(w, temperature, columns->energy2, &unused);
    const double m = gm_chain_mean(w, temperature, columns->order, &m_error);
    const double m2 = gm_chain_mean(w, temperature, columns->order2, &unused);
    const double m4 = gm_chain_mean(w, temperature, columns->order4, &unused);
    return (gm_chain_row){.temperature = t,
                          .energy = e * q / sites,
                          .energy_error = e_error * q / sites,
                          .heat = q * q * (e2 - e * e) / (t * t * sites),
                          .order = m / columns->most,
                          .order_error = m_error / columns->most,
                          .binder = 1 - m4 / (3 * m2 * m2),
                          .flip_rate =
                              gm_chain_mean(w, temperature, columns->flips, &unused) / sites};
}

cJSON *gm_chain_json_row(const gm_chain_columns *columns, const gm_chain_row *row) {
    cJSON *item = cJSON_CreateObject();
    cJSON_AddNumberToObject(item, "temperature", row->temperature);
    cJSON_AddNumberToObject(item, "energy", row->energy);
    cJSON_AddNumberToObject(item, "energy_error", row->energy_error);
    cJSON_AddNumberToObject(item, "specific_heat", row->heat);
    cJSON_AddNumberToObject(item, columns->name, row->order);
    cJSON_AddNumberToObject(item, columns->error_name, row->order_error);
    cJSON_AddNumberToObject(item, "binder_cumulant", row->binder);
    cJSON_AddNumberToObject(item, "flip_rate", row->flip_rate);
    return item;
}

void gm_chain_print_columns(const gm_chain_columns *columns) {
    printf("%8s %11s %10s %10s %11s %10s %8s %8s", "T", "energy", "+-", "heat", columns->title,
           "+-", "Binder", "flips");
}

void gm_chain_print_row(const gm_chain_row *row) {
    printf("%8.4f %11.6f %10.2g %10.5f %11.6f %10.2g %8.5f %8.5f", row->temperature, row->energy,
           row->energy_error, row->heat, row->order, row->order_error, row->binder, row->flip_rate);
}
