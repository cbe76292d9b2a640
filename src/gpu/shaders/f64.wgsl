// Elements that are stored and computed in f64.

alias Real = f64;
alias Stored = vec4<f64>;

fn widen(stored: Stored) -> vec4<Real> {
    return stored;
}

fn narrow(value: vec4<Real>) -> Stored {
    return value;
}

fn is_nan(value: vec4<Real>) -> vec4<bool> {
    return value != value;
}
