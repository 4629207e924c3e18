fn main(){ println!("{:?}", burn::tensor::Device::flex()); }
