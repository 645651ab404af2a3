// Blocks on which a compact library is compared with the full one: the arithmetic and the control that Gatewright builds.

// 8 x 8 bit multiply, 32-bit accumulate
module int8_mac (input clk, rst, clear, input signed [7:0] a, w, output reg signed [31:0] acc);
    reg signed [7:0] a_held, w_held;
    reg clear_held;
    always @(posedge clk) begin
        {a_held, w_held, clear_held} <= {a, w, clear};
        if (rst) acc <= 0;
        else acc <= (clear_held ? 32'sd0 : acc) + a_held * w_held;
    end
endmodule

// 64 one-bit products, counted and accumulated
module xnor_popcount64 (input clk, rst, clear, input [63:0] a, w, output reg [23:0] acc);
    reg [63:0] a_held, w_held;
    reg clear_held;
    reg [6:0] count;
    integer i;
    always @* begin
        count = 0;
        for (i = 0; i < 64; i = i + 1) count = count + {6'b0, ~(a_held[i] ^ w_held[i])};
    end
    always @(posedge clk) begin
        {a_held, w_held, clear_held} <= {a, w, clear};
        if (rst) acc <= 0;
        else acc <= (clear_held ? 24'd0 : acc) + count;
    end
endmodule

// 8 bipolar stochastic products: comparators against two shift registers, an exact parallel counter
module stochastic_lanes8 (input clk, rst, clear, input [63:0] a, input [7:0] w, output reg [15:0] acc);
    reg [63:0] a_held;
    reg [7:0] w_held, source_a, source_w;
    reg clear_held, w_bit;
    reg [3:0] count;
    integer i;
    always @* begin
        w_bit = w_held > source_w;
        count = 0;
        for (i = 0; i < 8; i = i + 1) count = count + {3'b0, ~((a_held[8*i +: 8] > source_a) ^ w_bit)};
    end
    always @(posedge clk) begin
        {a_held, w_held, clear_held} <= {a, w, clear};
        if (rst) {source_a, source_w, acc} <= {8'd1, 8'h5a, 16'd0};
        else begin
            source_a <= {source_a[6:0], ^(source_a & 8'hb8)};
            source_w <= {source_w[6:0], ^(source_w & 8'h8e)};
            acc <= (clear_held ? 16'd0 : acc) + count;
        end
    end
endmodule

// 8 words of 16 bits in flip-flops, and a state machine that watches them
module fifo8x16 (input clk, rst, push, pop, input [15:0] data, output [15:0] front, output full, empty, output reg [2:0] state);
    reg [15:0] words [0:7];
    reg [3:0] tail, head;
    assign empty = tail == head;
    assign full = tail == (head ^ 4'd8);
    assign front = words[head[2:0]];
    always @(posedge clk) begin
        if (push && !full) words[tail[2:0]] <= data;
        if (rst) {tail, head, state} <= 0;
        else begin
            if (push && !full) tail <= tail + 1'b1;
            if (pop && !empty) head <= head + 1'b1;
            case (state)
                3'd0: if (push) state <= 3'd1;
                3'd1: state <= full ? 3'd2 : pop ? 3'd3 : 3'd1;
                3'd2: if (pop) state <= 3'd4;
                3'd3: state <= empty ? 3'd0 : 3'd1;
                3'd4: state <= front[0] ? 3'd5 : 3'd1;
                3'd5: state <= empty ? 3'd0 : 3'd4;
                default: state <= 3'd0;
            endcase
        end
    end
endmodule
